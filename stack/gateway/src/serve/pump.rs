//! The loop of one session.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

use super::ends::{Outlet, Source, is_close};
use super::front::Front;
use super::restart::{Back, Restart};
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::session::{Outbox, Session, SessionSummary, Unrestored};
use crate::wire::lines::Line;

/// How far a session has come. It only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Frames go both ways.
    Serving,
    /// The client sends no more; answers are waited for.
    Draining,
    /// The server was told that nothing more comes; its end is waited for.
    Closing,
    /// The server is gone; the client gets what is left for it.
    Leaving,
    /// Over.
    Done,
}

/// What the server does with what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Uptake {
    Reads,
    /// It did not take a byte for too long.
    Stalled,
    /// It will never read again; what it said before that is still heard.
    Over,
}

enum Event<BR, BW> {
    /// Another server took the place of one that died, or could not be started.
    Opened(io::Result<Back<BR, BW>>),
    FromClient(io::Result<usize>),
    FromServer(io::Result<usize>),
    ClientGone(io::Error),
    ServerGone(io::Error),
    Wrote,
    /// Something for which a call has waited.
    Arrived,
    Stop,
    Late,
    Timeout,
}

/// What broke, for the result.
enum Fault {
    Client(io::Error),
    Server(io::Error),
    /// No other server took the place of one that died.
    NotRestarted(String),
}

pub(crate) struct Pump<F, BR, BW> {
    gateway: Gateway,
    session: Session,
    out: Outbox,
    client: F,
    server: Source<BR>,
    to_server: Outlet<BW>,
    phase: Phase,
    /// The limit on the present phase or, while serving, on how long a server may hold its client
    /// up.
    timer: Option<Pin<Box<Sleep>>>,
    /// When the session gives up what it asked for itself.
    patience: Option<Pin<Box<Sleep>>>,
    uptake: Uptake,
    /// How the server is started again if it dies.
    restart: Option<Restart<BR, BW>>,
    /// Who is asked first for frames; they take turns.
    server_first: bool,
    fault: Option<Fault>,
    server_left_first: bool,
}

impl<F, BR, BW> Pump<F, BR, BW>
where
    F: Front,
    BR: AsyncRead + Unpin,
    BW: AsyncWrite + Unpin,
{
    pub(crate) fn new(gateway: Gateway, session: Session, client: F, back: (BR, BW)) -> Self {
        let limits = *gateway.limits();
        Self {
            gateway,
            session,
            out: Outbox::default(),
            client,
            server: Source::new(back.0, limits.answer_bytes_max),
            to_server: Outlet::new(back.1),
            phase: Phase::Serving,
            timer: None,
            patience: None,
            uptake: Uptake::Reads,
            restart: None,
            server_first: false,
            fault: None,
            server_left_first: false,
        }
    }

    /// The same, with another server in place of one that dies, if the limits have it so. The end of the last one is waited
    /// for.
    pub(crate) fn restarting(self, restart: Restart<BR, BW>) -> Self {
        Self { restart: Some(restart), ..self }
    }

    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) -> Result<SessionSummary, GatewayError> {
        let mut stop = pin!(stop);
        while self.phase != Phase::Done {
            let event = poll_fn(|cx| self.poll_event(stop.as_mut(), cx)).await;
            self.take(event);
            self.move_on();
            // Streams that are always ready must not keep the runtime from its other tasks.
            tokio::task::coop::consume_budget().await;
        }
        let server_left_first = self.server_left_first;
        let summary = SessionSummary { server_left_first, ..self.session.summary() };
        let (fault, restart) = (self.fault.take(), self.restart.take());
        // A server ends when its streams are closed.
        drop(self);
        if let Some(restart) = restart {
            restart.end().await;
        }
        match fault {
            None => Ok(summary),
            Some(Fault::NotRestarted(why)) => Err(GatewayError::NotRestarted { why, summary }),
            Some(Fault::Client(source)) => Err(GatewayError::Client { source, summary }),
            Some(Fault::Server(source)) => Err(GatewayError::Server { source, summary }),
        }
    }

    /// The next thing that happens. Writing comes first: it makes room and wakes peers.
    fn poll_event(&mut self, stop: Pin<&mut impl Future<Output = ()>>, cx: &mut Context<'_>) -> Poll<Event<BR, BW>> {
        let before = self.out.to_client.sent() + self.out.to_upstream.sent();
        if let Poll::Ready(Err(error)) = self.client.poll_drive(&mut self.out, cx) {
            return Poll::Ready(Event::ClientGone(error));
        }
        while let Some(id) = self.client.undelivered() {
            self.session.not_asked(id, &mut self.out);
        }
        if let Poll::Ready(Err(error)) = self.to_server.poll_drive(&mut self.out.to_upstream, cx) {
            return Poll::Ready(Event::ServerGone(error));
        }
        let wrote = before != self.out.to_client.sent() + self.out.to_upstream.sent();
        // While serving, what was written matters only to a timer that waits for it.
        if wrote && (self.phase != Phase::Serving || self.timer.is_some() || self.uptake == Uptake::Stalled) {
            return Poll::Ready(Event::Wrote);
        }
        if self.phase == Phase::Closing {
            // The server's own end of stream tells when it has understood.
            let _ = self.to_server.poll_close(cx);
        }
        if self.phase == Phase::Leaving
            && self.out.to_client.pending().is_empty()
            && self.client.poll_close(cx).is_ready()
        {
            return Poll::Ready(Event::Wrote);
        }

        if self.session.poll_held(cx, &mut self.out).is_ready() {
            return Poll::Ready(Event::Arrived);
        }
        if let Some(restart) = &mut self.restart
            && self.phase == Phase::Serving
            && let Poll::Ready(opened) = restart.poll_opened(|| self.gateway.now_ms(), cx)
        {
            return Poll::Ready(Event::Opened(opened));
        }
        self.server_first = !self.server_first;
        for from_server in [self.server_first, !self.server_first] {
            if from_server {
                if self.may_read_server()
                    && let Poll::Ready(count) = self.server.poll_fill(cx)
                {
                    return Poll::Ready(Event::FromServer(count));
                }
            } else if self.may_read_client()
                && let Poll::Ready(count) = self.client.poll_fill(cx)
            {
                return Poll::Ready(Event::FromClient(count));
            }
        }
        if self.phase == Phase::Serving && stop.poll(cx).is_ready() {
            return Poll::Ready(Event::Stop);
        }
        if let Some(patience) = &mut self.patience
            && patience.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Event::Late);
        }
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Event::Timeout);
        }
        Poll::Pending
    }

    fn take(&mut self, event: Event<BR, BW>) {
        match event {
            Event::Opened(Ok((read, write))) => {
                self.server = Source::new(read, self.gateway.limits().answer_bytes_max);
                self.to_server = Outlet::new(write);
                self.session.upstream_back(self.gateway.now_ms(), &mut self.out);
            }
            Event::Opened(Err(error)) => {
                tracing::warn!(%error, "the server cannot be started again");
                self.server_died(None);
            }
            Event::FromClient(Ok(1..)) => self.client.hand_over(&self.gateway, &mut self.session, &mut self.out),
            Event::FromServer(Ok(1..)) => self.take_server_lines(),
            Event::FromClient(end) => {
                self.client.cut_off(&self.gateway, &mut self.session, &mut self.out);
                if let Err(error) = end
                    && !is_close(&error)
                {
                    self.fault.get_or_insert(Fault::Client(error));
                }
                self.enter(Phase::Draining);
            }
            Event::FromServer(end) => self.server_died(end.err()),
            Event::ClientGone(error) => {
                if !is_close(&error) {
                    self.fault.get_or_insert(Fault::Client(error));
                }
                self.enter(Phase::Draining);
            }
            Event::ServerGone(_) if self.phase == Phase::Serving && self.may_restart() => {
                // What it answered before may still be there to read.
                self.uptake = Uptake::Over;
                self.session.set_stalled(true);
                self.timer = Some(timer(self.gateway.limits().drain_ms));
            }
            Event::ServerGone(error) => {
                if !is_close(&error) {
                    self.fault.get_or_insert(Fault::Server(error));
                }
                // What it answered before may still be there to read.
                self.session.set_stalled(true);
                self.server_left_first |= self.phase == Phase::Serving;
                self.enter(Phase::Draining);
            }
            Event::Wrote => {
                if self.phase == Phase::Serving && self.uptake != Uptake::Over {
                    self.timer = None;
                }
            }
            // The session has taken it.
            Event::Arrived => {}
            Event::Stop => self.enter(Phase::Draining),
            Event::Late => {
                self.patience = None;
                self.session.on_time(self.gateway.now_ms(), &mut self.out);
            }
            Event::Timeout => {
                self.timer = None;
                match self.phase {
                    Phase::Serving if self.uptake == Uptake::Over => self.server_died(None),
                    Phase::Serving => {
                        tracing::warn!("the server takes no requests: they are refused until it does");
                        self.uptake = Uptake::Stalled;
                        self.session.set_stalled(true);
                    }
                    Phase::Draining => {
                        self.session.upstream_lost(&mut self.out);
                        self.enter(Phase::Closing);
                    }
                    Phase::Closing => self.enter(Phase::Leaving),
                    Phase::Leaving | Phase::Done => self.enter(Phase::Done),
                }
            }
        }
    }

    fn may_restart(&self) -> bool {
        self.restart.is_some() && self.session.can_be_restored()
    }

    /// The server is gone. While its client is there, another is started.
    fn server_died(&mut self, error: Option<io::Error>) {
        let error = error.filter(|error| !is_close(error));
        if self.phase == Phase::Serving && self.may_restart() {
            if let Some(error) = error {
                tracing::warn!(%error, "the connection to the server broke");
            }
            return self.start_again();
        }
        if let Some(error) = error {
            self.fault.get_or_insert(Fault::Server(error));
        }
        self.server_left_first |= self.phase == Phase::Serving;
        self.enter(Phase::Leaving);
    }

    fn start_again(&mut self) {
        self.session.upstream_down(&mut self.out);
        self.server.let_go();
        self.to_server.let_go();
        (self.uptake, self.timer) = (Uptake::Reads, None);
        let Some(restart) = &mut self.restart else { return };
        match restart.begin(self.gateway.now_ms()) {
            Ok(deaths) => self.session.note_death(deaths),
            Err(deaths) => self.give_up(format!("it died {deaths} times in a row")),
        }
    }

    /// The session ends for want of a server.
    fn give_up(&mut self, why: String) {
        self.session.note_given_up(&why);
        self.server.let_go();
        self.to_server.let_go();
        self.fault.get_or_insert(Fault::NotRestarted(why));
        self.server_left_first = true;
        self.enter(Phase::Leaving);
    }

    /// Enters the phases whose condition has come true, and sets timers.
    fn move_on(&mut self) {
        let limits = *self.gateway.limits();
        match self.session.take_unrestored().filter(|_| self.phase == Phase::Serving) {
            None => {}
            Some(Unrestored::This(why)) => {
                tracing::warn!(why, "the server that was started again is not of use");
                self.server_died(None);
            }
            Some(Unrestored::Any(why)) => self.give_up(why),
        }
        if self.client.is_closed() {
            self.out.to_client.discard();
        }
        self.patience = match (self.session.next_deadline(), self.patience.take()) {
            (None, _) => None,
            (Some(_), Some(patience)) => Some(patience),
            (Some(deadline), None) => Some(timer(deadline.saturating_sub(self.gateway.now_ms()).max(1))),
        };
        let backlog = self.out.to_upstream.pending().len();
        if self.phase == Phase::Serving && self.uptake != Uptake::Over {
            if backlog < limits.backlog_bytes {
                self.timer = None;
                if self.uptake == Uptake::Stalled {
                    self.uptake = Uptake::Reads;
                    self.session.set_stalled(false);
                }
            } else if self.timer.is_none() && self.uptake == Uptake::Reads {
                self.timer = Some(timer(limits.stall_ms));
            }
        }
        let all_sent = backlog == 0 || self.to_server.is_closed();
        if self.phase == Phase::Draining && all_sent && self.session.waited_for() == 0 {
            self.enter(Phase::Closing);
        }
        if self.phase == Phase::Closing && self.server.ended {
            self.enter(Phase::Leaving);
        }
        if self.phase == Phase::Leaving && self.client.is_closed() {
            self.enter(Phase::Done);
        }
    }

    fn enter(&mut self, phase: Phase) {
        if phase <= self.phase {
            return;
        }
        self.phase = phase;
        if phase == Phase::Draining {
            self.session.client_left(&mut self.out);
        }
        if phase == Phase::Leaving {
            self.session.upstream_lost(&mut self.out);
        }
        self.timer = (phase != Phase::Done).then(|| timer(self.gateway.limits().drain_ms));
    }

    fn may_read_client(&self) -> bool {
        let limit = self.gateway.limits().backlog_bytes;
        self.phase == Phase::Serving
            && !self.client.has_ended()
            && self.out.to_client.pending().len() < limit
            && (self.uptake != Uptake::Reads || self.out.to_upstream.pending().len() < limit)
    }

    fn may_read_server(&self) -> bool {
        let limit = self.gateway.limits().backlog_bytes;
        self.phase < Phase::Leaving && !self.server.ended && self.out.to_client.pending().len() < limit
    }

    fn take_server_lines(&mut self) {
        while let Some(line) = self.server.lines.next_line() {
            match line {
                Line::Frame(frame) => self.session.from_upstream(frame, &mut self.out),
                Line::Oversize(prefix) => self.session.oversize_from_upstream(prefix, &mut self.out),
            }
        }
    }
}

fn timer(ms: u64) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
}
