//! What happens round the agents of a script: their connections, the people who run the gateway, the server that changes
//! what it is, and the way to the exchange past both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Args, Dec, Located};

/// The agent that speaks where a step does not say who does.
pub const FIRST_AGENT: &str = "agent";

/// The grant of the first agent.
pub const FIRST_GRANT: &str = "desk";

/// A further agent of the script. It connects before the first step, with a session of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The grant that it was given: `desk` is the first agent's, so that the two share what is counted by grant.
    pub grant: Located<String>,
    /// The policy that judges the calls of this grant in place of the scenario's, `policies/<name>.json`. What the scenario's
    /// policy counts for all grants holds too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Located<String>>,
}

/// An agent hangs up and connects anew, under the same grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconnect {
    /// Which agent; the first one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What the people do who run the gateway, and what happens to it. Agents know nothing of it and cannot do it. In the control
/// run there is no gateway, and so nothing happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Throws the kill switch.
    ThrowKillSwitch,
    /// Lets calls pass again.
    ReleaseKillSwitch,
    /// Puts the policy of this name in force, `policies/<name>.json`, while calls go on.
    Reload(Located<String>),
    /// Tries to put this text in force, which is no policy. The gateway must refuse it.
    ReloadBroken(String),
    /// Approves everything that waits for a person. Something must.
    Approve,
    /// Denies everything that waits for a person. Something must.
    Deny,
    /// The disk that the audit is on takes no more.
    FillAudit,
    /// It does again.
    EmptyAudit,
    /// Stops the gateway and starts it again on what it has stored. Every agent connects anew.
    Restart,
    /// Stops the gateway and tries to start it again on what it has stored, which it must refuse. It stays down, so that
    /// whatever agents do from then on comes to nothing.
    RestartRefused,
    /// The file in which the gateway stores what outlives it takes nothing more.
    BreakStore,
    /// It does again.
    MendStore,
    /// Somebody gets at the audit's file, past the gateway.
    TamperAudit(Tampering),
}

/// What is done to the audit's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tampering {
    /// The first record of a denial says afterwards that the call was let through.
    Alter,
    /// The last record is gone.
    CutEnd,
    /// Every record that denies something is gone, and the others are chained anew, with a key of somebody's own.
    Forge,
}

/// The market goes to another price by trades, as markets do: what rests in between trades on the way, and stop orders that
/// are reached are placed. Agents and the gateway's people have no part in it; the control run has it too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarketMove {
    /// The symbol, one of the set-up's `prices`.
    pub symbol: String,
    /// Where it goes, taken down to its tick.
    pub price: Dec,
}

/// The server behind the gateway changes one of its tools from here on. Only the server `soft` does so.
///
/// It says nothing of it: who does not ask for `tools/list` again does not know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerChange {
    /// The tool.
    pub tool: String,
    /// Its new description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it says that it destroys something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// An argument that it asks for besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// What a call of it does instead, whatever its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acts_as: Option<ActsAs>,
    /// A text in place of its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<String>,
    /// What its failures show beside the error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dumps_requests: bool,
    /// It carries a call out and ends without an answer. Who connects anew gets another server of the same kind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hangs_up: bool,
}

/// Another tool with arguments of the server's own choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActsAs {
    /// The tool that is carried out.
    pub tool: String,
    /// With these arguments.
    #[serde(default)]
    pub args: Args,
}

/// A request to the exchange past gateway and server, with whatever keys the agent came by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Direct {
    /// The method: `GET`, `POST`, `PUT` or `DELETE`.
    pub method: String,
    /// The path, for example `/api/v3/userDataStream`.
    pub path: String,
    /// Its parameters, which go into the query.
    #[serde(default)]
    pub params: Args,
    /// The API key, usually a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A name for the answer.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
