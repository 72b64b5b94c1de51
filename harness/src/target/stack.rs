//! A stack that is up, and what it was opened with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::kind::{Capability, TargetError};
use crate::agent::tap::{PipeEnd, Tap};
use crate::agent::transcript::{AuditLines, Transcript};
use crate::scenario::{PolicyFile, Tampering, Upstream};
use crate::soft::Guise;

/// Opens stacks of one kind.
pub(crate) trait Target: Sync {
    /// What its stacks can do.
    fn capabilities(&self) -> &'static [Capability];

    /// Whether there is a gateway at all.
    fn has_gateway(&self) -> bool {
        true
    }

    /// Whether there is a gateway of which nobody can read what it has written down.
    fn hides_audit(&self) -> bool {
        false
    }

    /// Why it cannot be given this policy, if it cannot.
    fn unfit(&self, _policy: &PolicyFile) -> Option<String> {
        None
    }

    /// Whether only what happened counts, and not in which words the gateway says so.
    fn by_effects(&self) -> bool {
        false
    }

    /// Opens a fresh stack. It runs on tasks of the current runtime until its connections are closed.
    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError>;
}

/// What a stack is opened with.
pub(crate) struct Setting<'a> {
    pub(crate) rest_url: &'a str,
    pub(crate) keys: &'a Keys,
    pub(crate) clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(crate) upstream: Upstream,
    /// The policy document's text.
    pub(crate) policy: &'a PolicyFile,
    /// Those of grants that have one of their own.
    #[cfg_attr(not(feature = "embedded"), expect(dead_code, reason = "only a gateway knows grants"))]
    pub(crate) grants: &'a BTreeMap<String, PolicyFile>,
    /// The name of a deliberate defect.
    #[cfg_attr(not(feature = "embedded"), expect(dead_code, reason = "only a gateway has one"))]
    pub(crate) mutation: Option<&'a str>,
    /// Whether the gateway keeps approvals, what was charged and a chained audit in a folder.
    #[cfg_attr(not(feature = "embedded"), expect(dead_code, reason = "only a gateway keeps anything"))]
    pub(crate) durable: bool,
    /// Whether the gateway knows the server's tools beforehand.
    #[cfg_attr(not(feature = "embedded"), expect(dead_code, reason = "only a gateway knows any"))]
    pub(crate) pinned: bool,
    /// What the server turns into.
    pub(crate) guise: Guise,
    pub(crate) transcript: Transcript,
}

/// The keys of the account that the MCP server trades on.
pub(crate) struct Keys {
    pub(crate) api_key: String,
    pub(crate) secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(redacted)")
    }
}

/// Who connects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// What the connection is called in transcripts and on tapes; nothing is the first one of the first agent.
    pub(crate) name: Option<&'a str>,
    #[cfg_attr(not(feature = "embedded"), expect(dead_code, reason = "only a gateway asks for it"))]
    pub(crate) grant: &'a str,
}

/// Where agents of a stack connect, and what its people can do with it.
pub(crate) trait Door {
    /// Opens a connection. What serves it is added to `parts`, and ends when the connection is closed.
    fn connect(&mut self, caller: Caller<'_>, parts: &mut Parts) -> Result<PipeEnd, TargetError>;

    /// What the gateway's people do; in words for the transcript.
    ///
    /// Before a restart, refused or not, all connections have been closed.
    fn operate(&mut self, deed: Deed<'_>) -> Result<String, String> {
        Err(format!("nobody can do that to this target: {deed:?}"))
    }

    /// The run's clock has been moved.
    fn time_moves(&mut self, _by: Duration) -> Result<(), String> {
        Ok(())
    }

    /// Whether the chain of what was written down is whole; nothing where none is kept.
    fn chain_is_whole(&self) -> Option<Result<(), String>> {
        None
    }

    /// Lets nobody in any more; what then still runs is added to `parts`.
    fn close(&mut self, _parts: &mut Parts) {}
}

/// What the people do who run a gateway.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "embedded"), expect(dead_code, reason = "targets of other builds have no operator"))]
pub(crate) enum Deed<'a> {
    ThrowKillSwitch,
    ReleaseKillSwitch,
    Reload(&'a PolicyFile),
    /// No policy, which must be refused.
    ReloadBroken(&'a str),
    Approve,
    Deny,
    /// Whether the audit takes lines from now on.
    Audit(bool),
    Restart,
    /// A restart that must come to nothing.
    RestartRefused,
    /// Whether the store takes anything from now on.
    Store(bool),
    Tamper(Tampering),
}

/// What runs for a stack.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) taps: Vec<Tap>,
    pub(crate) tasks: Vec<Task>,
}

/// A stack that is up.
pub(crate) struct Stack {
    pub(crate) door: Box<dyn Door>,
    pub(crate) parts: Parts,
    /// The gateway's audit so far; nothing when the target keeps none.
    pub(crate) audit: Option<AuditLines>,
    pub(crate) behind_gateway: bool,
    /// What reaches the MCP server is in the transcript.
    pub(crate) sees_upstream: bool,
}

/// A part of a stack that runs by itself.
pub(crate) struct Task {
    pub(crate) what: &'static str,
    pub(crate) handle: JoinHandle<Result<(), String>>,
}

/// How long a stack may take to end by the machine's clock, once its front is closed. An idle one ends at once; a
/// request on its way is given the time that HTTP clients give it.
const PATIENCE: Duration = Duration::from_secs(20);

impl Stack {
    /// Opens a connection.
    pub(crate) fn connect(&mut self, caller: Caller<'_>) -> Result<PipeEnd, TargetError> {
        self.door.connect(caller, &mut self.parts)
    }

    /// Whether the target keeps an audit.
    pub(crate) fn has_audit(&self) -> bool {
        self.audit.is_some()
    }

    /// The audit's lines so far.
    pub(crate) fn audit_lines(&self) -> Vec<String> {
        self.audit.as_ref().map_or_else(Vec::new, |lines| lines())
    }

    /// Waits until every part has ended, connections first. Only then has everything happened that will.
    pub(crate) async fn ended(&mut self) -> Result<(), String> {
        self.parts.ended().await?;
        self.door.close(&mut self.parts);
        self.parts.ended().await
    }
}

impl Parts {
    /// Waits until everything that serves connections has ended.
    pub(crate) async fn ended(&mut self) -> Result<(), String> {
        for task in self.tasks.drain(..) {
            let what = task.what;
            tokio::time::timeout(PATIENCE, task.handle)
                .await
                .map_err(|_| format!("{what} did not end after its client had hung up"))?
                .map_err(|error| format!("{what} broke down: {error}"))?
                .map_err(|error| format!("{what} failed: {error}"))?;
        }
        for tap in self.taps.drain(..) {
            tap.ended().await.map_err(|error| format!("the pipe to the MCP server broke: {error}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;

    use super::*;

    fn parts(handle: JoinHandle<Result<(), String>>) -> Parts {
        Parts { taps: Vec::new(), tasks: vec![Task { what: "the part", handle }] }
    }

    #[tokio::test]
    async fn a_stack_has_ended_only_when_its_last_part_has() {
        let (finish, finished) = oneshot::channel::<()>();
        let mut rest = parts(tokio::spawn(async move { finished.await.map_err(|error| error.to_string()) }));
        let mut ended = pin!(rest.ended());
        tokio::task::yield_now().await;
        assert!(ended.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        finish.send(()).unwrap();
        assert_eq!(ended.await, Ok(()));
    }

    #[tokio::test]
    async fn a_part_that_fails_is_named() {
        let mut failing = parts(tokio::spawn(async { Err("no luck".to_owned()) }));
        assert_eq!(failing.ended().await, Err("the part failed: no luck".to_owned()));
        let mut panicking = parts(tokio::spawn(async { panic!("ouch") }));
        assert!(panicking.ended().await.unwrap_err().starts_with("the part broke down"));
    }
}
