//! The client's side of a session over HTTP: many requests in, each answer back to its own.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, oneshot};

use crate::gateway::Gateway;
use crate::serve::Front;
use crate::session::{Lane, Outbox, Session};
use crate::wire::envelope::{Message, Refused};

/// How many messages that nobody asked for are kept until somebody listens; the oldest go first.
const HELD_MAX: usize = 64;
/// How much is taken from the requests at a time.
const BATCH: usize = 64;

/// What a request hears in the end.
#[derive(Debug)]
pub(super) enum Heard {
    /// The answer, one JSON text.
    Answer(Vec<u8>),
    /// It was taken, and there is nothing to answer.
    Nothing,
    /// It was refused, and JSON-RPC has no answer to it.
    Refused,
}

/// How to reach whoever sent a request.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) heard: oneshot::Sender<Heard>,
    /// News before the answer. What does not fit is lost, as notifications may be.
    pub(super) notes: mpsc::Sender<Vec<u8>>,
}

/// What is said to a session.
#[derive(Debug)]
pub(super) enum Said {
    /// The body of a POST.
    Message { lane: Lane, message: Result<Message, Refused>, reply: Reply },
    /// The beginning of a body that is too long.
    Oversize { prefix: Vec<u8>, lane: Lane, reply: Reply },
    /// A GET: whoever asks hears what nobody asked for, in place of whoever did before.
    Listen(mpsc::Sender<Vec<u8>>),
    /// Whoever waited has hung up.
    HungUp(Lane),
}

/// The requests of one session, or of all clients of one grant that keep none.
pub(super) struct HttpFront {
    said: mpsc::Receiver<Said>,
    arrived: Vec<Said>,
    ended: bool,
    closed: bool,
    /// Several clients share it, so that what nobody asked for belongs to none of them.
    shared: bool,
    waiting: BTreeMap<u64, Reply>,
    listener: Option<mpsc::Sender<Vec<u8>>>,
    held: VecDeque<Vec<u8>>,
    /// Requests of the server that nobody takes.
    undelivered: Vec<u64>,
}

impl HttpFront {
    pub(super) fn new(said: mpsc::Receiver<Said>, shared: bool) -> Self {
        Self {
            said,
            arrived: Vec::new(),
            ended: false,
            closed: false,
            shared,
            waiting: BTreeMap::new(),
            listener: None,
            held: VecDeque::new(),
            undelivered: Vec::new(),
        }
    }

    /// Moves what the session has to say to whom it belongs.
    fn route(&mut self, out: &mut Outbox) {
        while let Some((lane, line)) = out.take_line() {
            match lane {
                Some(lane) if is_answer(&line) => {
                    if let Some(reply) = self.waiting.remove(&lane) {
                        // Whoever has hung up hears nothing.
                        let _ = reply.heard.send(Heard::Answer(line));
                    }
                }
                Some(lane) => {
                    if let Some(reply) = self.waiting.get(&lane) {
                        // News of a request is no request.
                        let _: Option<u64> = note(&reply.notes, line);
                    }
                }
                None => self.unasked(line),
            }
        }
    }

    /// A message that answers no request goes to whoever listens, else along with the newest request, else it is kept.
    fn unasked(&mut self, line: Vec<u8>) {
        if self.shared {
            tracing::debug!("dropped: a message of the server that is no client's in particular");
            return;
        }
        self.listener.take_if(|listener| listener.is_closed());
        // What the server asks belongs, as a rule, to what it was asked last.
        let newest = self.waiting.last_key_value().filter(|_| request_id(&line).is_some());
        if let Some((_, newest)) = newest {
            self.undelivered.extend(note(&newest.notes, line));
        } else if let Some(listener) = &self.listener {
            self.undelivered.extend(note(listener, line));
        } else if let Some((_, newest)) = self.waiting.last_key_value() {
            self.undelivered.extend(note(&newest.notes, line));
        } else {
            self.held.push_back(line);
            if self.held.len() > HELD_MAX {
                self.undelivered.extend(self.held.pop_front().as_deref().and_then(request_id));
            }
        }
    }

    fn listen(&mut self, listener: mpsc::Sender<Vec<u8>>) {
        for line in self.held.drain(..) {
            self.undelivered.extend(note(&listener, line));
        }
        self.listener = Some(listener);
    }
}

impl Front for HttpFront {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let count = ready!(self.said.poll_recv_many(cx, &mut self.arrived, BATCH));
        self.ended = count == 0;
        Poll::Ready(Ok(count))
    }

    fn hand_over(&mut self, gateway: &Gateway, session: &mut Session, out: &mut Outbox) {
        for said in std::mem::take(&mut self.arrived) {
            let now_ms = gateway.now_ms();
            match said {
                Said::Message { lane, message, reply } => {
                    let is_request = matches!(message, Ok(Message::Request { .. }));
                    let (is_response, is_no_message) =
                        (matches!(message, Ok(Message::Response { .. })), message.is_err());
                    let refused = session.summary().refused_frames;
                    self.waiting.insert(lane.number(), reply);
                    session.in_lane(lane, message, now_ms, out);
                    self.route(out);
                    let is_refused = is_no_message || (is_response && session.summary().refused_frames != refused);
                    if !is_request && let Some(reply) = self.waiting.remove(&lane.number()) {
                        let _ = reply.heard.send(if is_refused { Heard::Refused } else { Heard::Nothing });
                    }
                }
                Said::Oversize { prefix, lane, reply } => {
                    self.waiting.insert(lane.number(), reply);
                    session.oversize_in_lane(lane, &prefix, now_ms, out);
                    self.route(out);
                }
                Said::Listen(listener) => self.listen(listener),
                Said::HungUp(lane) => {
                    self.waiting.remove(&lane.number());
                    session.hang_up(lane, out);
                }
            }
        }
    }

    /// Bodies arrive whole or not at all.
    fn cut_off(&mut self, _: &Gateway, _: &mut Session, _: &mut Outbox) {}

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn poll_drive(&mut self, out: &mut Outbox, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.route(out);
        Poll::Ready(Ok(()))
    }

    fn undelivered(&mut self) -> Option<u64> {
        self.undelivered.pop()
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.waiting.clear();
        self.listener = None;
        self.closed = true;
        Poll::Ready(())
    }
}

/// Tells whoever listens; the id of a request that is lost, which the server must not wait for.
fn note(listener: &mpsc::Sender<Vec<u8>>, line: Vec<u8>) -> Option<u64> {
    match listener.try_send(line) {
        Ok(()) => None,
        Err(mpsc::error::TrySendError::Full(line)) => {
            tracing::warn!("a client reads too slowly: a message of the server is lost");
            request_id(&line)
        }
        Err(mpsc::error::TrySendError::Closed(line)) => request_id(&line),
    }
}

/// The id of a request of the server's. The method comes first, then the id; methods have no quotes in them.
fn request_id(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(br#"{"jsonrpc":"2.0","method":""#)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let id = rest.get(end..)?.strip_prefix(br#"","id":"#)?;
    let digits = id.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(id.get(..digits)?).ok()?.parse().ok()
}

/// The gateway writes its lines itself, and a message either has an id or a method in this place.
fn is_answer(line: &[u8]) -> bool {
    line.starts_with(br#"{"jsonrpc":"2.0","id":"#)
}
