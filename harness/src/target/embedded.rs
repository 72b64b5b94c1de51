//! Our gateway in front of the MCP server, in process.

use super::kind::{Capability, TargetError};
use super::operated::Operated;
use super::stack::{Caller, Deed, Door, Parts, Setting, Stack, Target, Task};
use super::upstream::Server;
use crate::agent::tap::{PipeEnd, Tap, pipe};
use crate::agent::transcript::{Leg, Transcript};

/// What a target that is our gateway can do, however it is reached.
pub(super) const OURS: &[Capability] =
    &[Capability::Clock, Capability::Agents, Capability::Policy, Capability::Operator, Capability::Pins];

pub(super) struct Embedded;

impl Target for Embedded {
    fn capabilities(&self) -> &'static [Capability] {
        OURS
    }

    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError> {
        let gateway = Operated::start(setting)?;
        let audit = gateway.audit_lines();
        let door = Pipes { gateway, server: Server::of(setting)?, transcript: setting.transcript.clone() };
        let parts = Parts::default();
        Ok(Stack { door: Box::new(door), parts, audit: Some(audit), behind_gateway: true, sees_upstream: true })
    }
}

struct Pipes {
    gateway: Operated,
    server: Server,
    transcript: Transcript,
}

impl Door for Pipes {
    fn connect(&mut self, caller: Caller<'_>, parts: &mut Parts) -> Result<PipeEnd, TargetError> {
        let identity = self.gateway.identity(caller.grant);
        let transcript = match caller.name {
            Some(name) => self.transcript.of(name, &identity.session),
            None => self.transcript.clone(),
        };
        let (front, (front_read, front_write)) = pipe();
        let ((back_read, back_write), tapped) = pipe();
        let (behind_tap, back) = pipe();
        let server = self.server.start(back);
        parts.taps.push(Tap::open(Leg::Upstream, transcript, tapped, behind_tap));
        let gateway = self.gateway.gateway()?;
        let handle = tokio::spawn(async move {
            let served = gateway.serve(identity, front_read, front_write, back_read, back_write).await;
            served.map(|_| ()).map_err(|error| error.to_string())
        });
        parts.tasks.extend([Task { what: "the gateway", handle }, server]);
        Ok(front)
    }

    fn operate(&mut self, deed: Deed<'_>) -> Result<String, String> {
        self.gateway.operate(deed)
    }

    fn chain_is_whole(&self) -> Option<Result<(), String>> {
        self.gateway.chain_is_whole()
    }
}
