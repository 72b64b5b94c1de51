//! The MCP server alone.

use super::kind::{Capability, TargetError};
use super::stack::{Caller, Deed, Door, Parts, Setting, Stack, Target};
use super::upstream::Server;
use crate::agent::tap::{PipeEnd, pipe};

pub(super) struct Bare;

impl Target for Bare {
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Clock, Capability::Agents]
    }

    fn has_gateway(&self) -> bool {
        false
    }

    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError> {
        let door = Box::new(Open { server: Server::of(setting)? });
        Ok(Stack { door, parts: Parts::default(), audit: None, behind_gateway: false, sees_upstream: false })
    }
}

/// Everybody who comes is given a server.
struct Open {
    server: Server,
}

impl Door for Open {
    fn connect(&mut self, _: Caller<'_>, parts: &mut Parts) -> Result<PipeEnd, TargetError> {
        let (front, back) = pipe();
        parts.tasks.push(self.server.start(back));
        Ok(front)
    }

    fn operate(&mut self, _: Deed<'_>) -> Result<String, String> {
        Ok("there is no gateway, and so nobody who runs one".to_owned())
    }
}
