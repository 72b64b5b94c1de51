//! What a tool can do, as far as a policy has to care.

use serde::Serialize;

/// The class of a tool, the mildest first: where two readings differ, the later one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Tries something out, without effect.
    DryRun,
    /// Reads what everybody may read.
    PublicRead,
    /// Reads what belongs to somebody.
    PrivateRead,
    /// Takes back one thing that was begun: how an agent stops.
    Cancels,
    /// Extends or ends a credential.
    ChangesCredential,
    /// Changes something else.
    Changes,
    /// Takes back everything of a kind, whoever began it.
    CancelsAll,
    /// Makes a credential or hands one out.
    MintsCredential,
    /// Ends something for good.
    Destroys,
    /// Places orders, pays, or moves money in another way.
    MovesMoney,
    /// Nobody can tell.
    Unknown,
}

impl Class {
    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::DryRun => "dry run",
            Self::PublicRead => "public read",
            Self::PrivateRead => "private read",
            Self::Cancels => "cancels one thing",
            Self::ChangesCredential => "extends or ends a credential",
            Self::Changes => "changes something",
            Self::CancelsAll => "cancels everything of a kind",
            Self::MintsCredential => "hands out a credential",
            Self::Destroys => "destroys",
            Self::MovesMoney => "moves real money",
            Self::Unknown => "unknown",
        }
    }

    /// Whether calls of it change nothing.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::DryRun | Self::PublicRead | Self::PrivateRead)
    }
}
