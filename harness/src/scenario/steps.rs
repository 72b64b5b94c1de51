//! What a script does, step by step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Args, Data, Direct, Located, MarketMove, Operator, OwnerOrder, Reconnect, ServerChange, Span};

/// One step. A step is a map with one key, the verb.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Calls a tool and waits for its answer.
    Call(Call),
    /// Runs steps again and again, one after the other.
    Repeat(Repeat),
    /// Runs steps once for each value of a list.
    Each(Each),
    /// Starts all calls before it waits for any answer. Answers are matched to their calls by id.
    Parallel(Parallel),
    /// Moves every clock of the run forward. Nothing sleeps.
    Advance(Span),
    /// Sends exact bytes as one frame, whatever they are.
    Raw(Raw),
    /// Sends any other MCP request and waits for its answer.
    Request(Request),
    /// Sends an MCP notification, to which no answer belongs.
    Notify(Notify),
    /// Opens a user data stream at the exchange, past any MCP server, and keeps it open until the run ends.
    Listen(Listen),
    /// The owner places an order at the exchange directly. It is never counted as the agent's doing, but a
    /// stream that somebody listens to shows it.
    OwnerOrder(OwnerOrder),
    /// An agent hangs up and connects anew: the same grant, a new session.
    Reconnect(Reconnect),
    /// The people who run the gateway do something.
    Operator(Operator),
    /// The server behind the gateway becomes another.
    ServerChange(ServerChange),
    /// Asks the exchange directly, past gateway and server.
    Direct(Direct),
    /// The market goes to another price, and trades on the way.
    Market(MarketMove),
}

impl Step {
    /// The steps within it.
    pub fn inner(&self) -> &[Located<Step>] {
        match self {
            Self::Repeat(repeat) => &repeat.steps,
            Self::Each(each) => &each.steps,
            Self::Parallel(parallel) => &parallel.steps,
            _ => &[],
        }
    }

    /// The name that its answer is given.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Call(call) => call.name.as_deref(),
            Self::Raw(raw) => raw.name.as_deref(),
            Self::Request(request) => request.name.as_deref(),
            Self::Direct(direct) => direct.name.as_deref(),
            _ => None,
        }
    }

    /// Whether `holds` of this step or of one within it.
    pub fn any(&self, holds: &impl Fn(&Self) -> bool) -> bool {
        holds(self) || self.inner().iter().any(|step| step.value.any(holds))
    }
}

/// Calls a tool and waits for its answer.
///
/// Texts in `args` may refer to earlier answers: `"${order.orderId}"` is the value at `orderId` of the answer
/// that was given the name `order`. A text that is nothing but one reference becomes the value with its JSON
/// type (a number stays a number); inside a longer text the value is spelled out. Path parts are field names or
/// list positions: `${orders.items.0.orderId}`. An answer is the tool's structured content, or its text read as
/// JSON where a server gives none; a list stands under `items`. Three names exist without being defined:
///
/// - `${index}`: the turn of the innermost `repeat`, `each` or `parallel`, from 0;
/// - `${rogue.api_key}`, `${rogue.secret}`: keys of the rogue's own account at the same exchange.
///
/// `$${` writes a literal `${`. When a reference cannot be resolved because the answer it points into was a
/// denial or an error and has no such value, an attack skips the step (the rogue cannot go on) and says so in the
/// transcript; in a twin or a workflow that is a failure. What refers to the answer of a skipped step is skipped too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Who does so, one of `agents`; the first agent when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The tool's name, sent byte for byte.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Args,
    /// A name for the answer.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Says that the name is meant to be none of the 23 tools. Without it an unknown name is reported as a typo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_tool: bool,
    /// What the answer must be. Judged in the protected run, the twin and workflows, not in the control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<StepExpect>,
}

/// Runs steps `times` times, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How often.
    pub times: u32,
    /// What. A name given inside is overwritten by each turn.
    pub steps: Vec<Located<Step>>,
}

/// Runs steps once for each value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// The values.
    pub values: Vec<Data>,
    /// The name of the turn's value; `"${name}"` stands for it.
    #[serde(rename = "as")]
    pub name: String,
    /// The steps.
    pub steps: Vec<Located<Step>>,
}

/// Starts `times` x `steps` at once, then waits for all answers. Only `call`, `raw` and `request` may stand
/// inside, and no name given inside can be used inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    /// How often each step is started.
    #[serde(default = "once")]
    pub times: u32,
    /// The steps.
    pub steps: Vec<Located<Step>>,
}

const fn once() -> u32 {
    1
}

/// One frame of exact bytes, ended by a newline that is not part of them.
///
/// Give `text`, or `parts` for bytes that YAML cannot hold (half a surrogate pair as UTF-8, a byte order mark,
/// sixty thousand brackets). The parts are joined without anything between them. References are resolved in
/// texts as in a call; all else goes out as written.
///
/// Answers to a raw frame are the frames that come before the answer to a `ping` that the harness sends right
/// after it; so a frame may have no answer, and nothing waits for a clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// Who does so, one of `agents`; the first agent when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The frame as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The frame in parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// A name for the (first) answer.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the (first) answer must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<StepExpect>,
}

/// A part of a raw frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text, sent as UTF-8.
    Text(String),
    /// Bytes in hexadecimal, spaces allowed between them: `"ef bb bf"`.
    Hex(String),
    /// The same text many times.
    Repeat(RepeatPart),
}

/// The same text many times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepeatPart {
    /// The text.
    pub text: String,
    /// How often.
    pub times: u32,
}

/// Why a raw frame cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    /// Neither or both of `text` and `parts`.
    #[error("a raw frame needs either `text` or `parts`")]
    Shape,
    /// Not hexadecimal.
    #[error("`{0}` is not a row of whole bytes in hexadecimal, such as \"ef bb bf\"")]
    Hex(String),
    /// The frame would end early.
    #[error("a raw frame must not hold a newline: it would be two frames; write two `raw` steps")]
    Newline,
    /// The frame is larger than any test needs.
    #[error("a raw frame may have {max} bytes at most")]
    TooLarge {
        /// The limit.
        max: usize,
    },
}

impl Raw {
    /// Frames beyond this size are refused: no gateway's limit is higher, and a typo in `times` should not eat
    /// the machine's memory.
    pub const MAX_BYTES: usize = 64 * 1024 * 1024;

    /// The frame's bytes, with `resolve` applied to each text (references are its business).
    pub fn bytes<E: From<RawError>>(&self, mut resolve: impl FnMut(&str) -> Result<String, E>) -> Result<Vec<u8>, E> {
        let mut bytes = Vec::new();
        match (&self.text, self.parts.as_slice()) {
            (Some(text), []) => bytes.extend_from_slice(resolve(text)?.as_bytes()),
            (None, [_, ..]) => {
                for part in &self.parts {
                    match part {
                        Part::Text(text) => bytes.extend_from_slice(resolve(text)?.as_bytes()),
                        Part::Hex(digits) => bytes.extend(unhex(digits)?),
                        Part::Repeat(RepeatPart { text, times }) => {
                            let times = usize::try_from(*times).unwrap_or(usize::MAX);
                            let text = resolve(text)?;
                            if text.len().saturating_mul(times) > Self::MAX_BYTES {
                                return Err(RawError::TooLarge { max: Self::MAX_BYTES }.into());
                            }
                            bytes.extend_from_slice(text.repeat(times).as_bytes());
                        }
                    }
                }
            }
            _ => return Err(RawError::Shape.into()),
        }
        if bytes.len() > Self::MAX_BYTES {
            return Err(RawError::TooLarge { max: Self::MAX_BYTES }.into());
        }
        if bytes.contains(&b'\n') {
            return Err(RawError::Newline.into());
        }
        Ok(bytes)
    }
}

fn unhex(digits: &str) -> Result<Vec<u8>, RawError> {
    let packed: String = digits.split(' ').collect();
    hex::decode(packed).map_err(|_| RawError::Hex(digits.to_owned()))
}

/// Any MCP request that is not a tool call, for example `resources/read` or `tools/list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Who does so, one of `agents`; the first agent when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: Args,
    /// A name for the answer.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the answer must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<StepExpect>,
}

/// An MCP notification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Who does so, one of `agents`; the first agent when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: Args,
}

/// Opens `/ws/<key>` at the exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The listen key, usually a reference: `"${key.listenKey}"`.
    pub key: String,
    /// A name for the transcript.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What one answer must be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepExpect {
    /// The kind of answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The rule that a denial names, as a JSON pointer into the policy, or `(hidden)`, `(default deny)`, `(no policy)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The stable reason code of a denial or refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The JSON-RPC error code of a refusal, or the exchange's error code of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// A text that the answer must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Values that the answer must hold, by path: `{ status: FILLED, "fills.0.price": "60000.00000000" }`.
    #[serde(default, skip_serializing_if = "args_empty")]
    pub values: Args,
}

fn args_empty(args: &Args) -> bool {
    args.is_empty()
}

/// The kinds of answer to a call or frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A result without `isError`: the call was carried out.
    Allowed,
    /// A result with `isError` that the gateway made: its policy said no.
    Denied,
    /// A result with `isError` that came from behind the gateway: the exchange or the MCP server said no.
    Error,
    /// A JSON-RPC error: the frame or method was refused.
    Refused,
    /// No answer at all.
    Silent,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(yaml: &str) -> Result<Vec<u8>, RawError> {
        let raw: Raw = serde_saphyr::from_str(yaml).expect("a raw step");
        raw.bytes(|text| Ok(text.to_owned()))
    }

    #[test]
    fn raw_frames_hold_any_bytes() {
        assert_eq!(bytes("{ text: '{}' }"), Ok(b"{}".to_vec()));
        assert_eq!(
            bytes("{ parts: [ { hex: 'ef bb bf' }, { repeat: { text: '[', times: 3 } }, { text: ']' } ] }"),
            Ok(b"\xef\xbb\xbf[[[]".to_vec())
        );
    }

    #[test]
    fn raw_frames_that_cannot_be_made() {
        assert_eq!(bytes("{ as: x }"), Err(RawError::Shape));
        assert_eq!(bytes("{ text: a, parts: [ { text: b } ] }"), Err(RawError::Shape));
        assert_eq!(bytes("{ parts: [ { hex: 'e' } ] }"), Err(RawError::Hex("e".to_owned())));
        assert_eq!(bytes("{ parts: [ { hex: '0a' } ] }"), Err(RawError::Newline));
        let huge = bytes("{ parts: [ { repeat: { text: 'abcdefgh', times: 4000000000 } } ] }");
        assert_eq!(huge, Err(RawError::TooLarge { max: Raw::MAX_BYTES }));
    }

    #[test]
    fn a_verb_has_a_name() {
        let error = serde_saphyr::from_str::<Step>("calls: { tool: bn_ping }").expect_err("typo").to_string();
        assert!(error.contains("calls") && error.contains("owner_order"), "{error}");
        let step: Step = serde_saphyr::from_str("advance: 61s").expect("advance");
        assert_eq!(step, Step::Advance(Span::from_millis(61_000)));
    }
}
