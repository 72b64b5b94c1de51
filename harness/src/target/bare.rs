//! The MCP server alone.

use super::kind::{Capability, TargetError};
use super::stack::{Rest, Setting, Stack, Target};
use super::upstream;
use crate::agent::tap::pipe;

pub(super) struct Bare;

impl Target for Bare {
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Clock]
    }

    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError> {
        let (front, back) = pipe();
        let task = upstream::start(setting, back)?;
        let rest = Rest { audit: None, behind_gateway: false, sees_upstream: false, tap: None, tasks: vec![task] };
        Ok(Stack { front, rest })
    }
}
