//! The targets by name.

use std::fmt;
use std::str::FromStr;

use super::bare::Bare;
use super::stack::Target;

/// Something that a target can do. What is absent makes some checks untestable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Its clocks follow the run's clock, so that `advance` steps make sense.
    Clock,
    /// It serves several agents, each with a grant and connections of its own.
    Agents,
    /// It enforces the scenario's policy.
    Policy,
    /// Its people can throw the kill switch, replace the policy, decide about approvals, and restart it on what it has
    /// stored, in the middle of a run.
    Operator,
    /// It can be given tool definitions beforehand, and lets no others be called.
    Pins,
}

/// The targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TargetKind {
    /// Our gateway with the scenario's policy, in process.
    #[cfg_attr(feature = "embedded", default)]
    Embedded,
    /// The same, spoken to over streamable HTTP on the loopback.
    Http,
    /// The MCP server without a gateway. Every attack breaches it: that is what the control runs show.
    #[cfg_attr(not(feature = "embedded"), default)]
    Bare,
}

/// Why a target could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The name is none.
    #[error("no target is called `{0}`: use `embedded`, `http` or `bare`")]
    Unknown(String),
    /// Not in this build.
    #[error("{0} is not part of this build: build with the feature `embedded`")]
    NotBuilt(&'static str),
    /// The policy document is refused.
    #[error("the gateway refuses the policy: {0}")]
    Policy(String),
    /// The mutation is none.
    #[error("{0}")]
    Mutation(String),
    /// The system gives no port.
    #[error("no port can be listened on: {0}")]
    Socket(std::io::Error),
    /// The system gives no folder.
    #[error("no folder can be made for the gateway: {0}")]
    Folder(std::io::Error),
    /// The gateway's command cannot be started.
    #[error("the gateway `{command}` cannot be started: {source}")]
    Command {
        /// The command.
        command: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// What outlives the gateway cannot be kept.
    #[error("the gateway's state cannot be kept: {0}")]
    State(String),
    /// It serves one connection.
    #[error("the target has one connection, and it is taken")]
    OneConnection,
    /// The MCP server cannot be set up.
    #[error("the MCP server cannot start: {0}")]
    Upstream(String),
}

impl TargetKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Http, Self::Bare];

    /// The name on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Http => "http",
            Self::Bare => "bare",
        }
    }

    /// What it can do.
    pub fn capabilities(self) -> Result<&'static [Capability], TargetError> {
        Ok(self.target()?.capabilities())
    }

    #[cfg_attr(feature = "embedded", expect(clippy::unnecessary_wraps, reason = "other builds lack a target"))]
    pub(crate) fn target(self) -> Result<&'static dyn Target, TargetError> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => Ok(&super::embedded::Embedded),
            #[cfg(not(feature = "embedded"))]
            Self::Embedded => Err(TargetError::NotBuilt("the target `embedded`")),
            #[cfg(feature = "embedded")]
            Self::Http => Ok(&super::http::Http),
            #[cfg(not(feature = "embedded"))]
            Self::Http => Err(TargetError::NotBuilt("the target `http`")),
            Self::Bare => Ok(&Bare),
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TargetKind {
    type Err = TargetError;

    fn from_str(name: &str) -> Result<Self, TargetError> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| TargetError::Unknown(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in TargetKind::ALL {
            assert_eq!(kind.name().parse::<TargetKind>().unwrap(), kind);
        }
        assert_eq!(
            "docker".parse::<TargetKind>().unwrap_err().to_string(),
            "no target is called `docker`: use `embedded`, `http` or `bare`"
        );
    }

    #[test]
    fn the_default_is_the_best_one_that_was_built() {
        assert!(TargetKind::default().target().is_ok());
        let has_policy = TargetKind::default().capabilities().unwrap().contains(&Capability::Policy);
        assert_eq!(has_policy, cfg!(feature = "embedded"));
    }
}
