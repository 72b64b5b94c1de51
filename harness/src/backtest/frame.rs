//! What a judge looks at of a message on a tape. The rest is looked at by the reader alone, and never built.

use std::borrow::Cow;

use mcp_gateway::mcp_policy::{Outcome, strict};
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::{Map, Value};

use crate::cassette::{Direction, Leg, Line, NoDoubles, Pick, Seen, Whole};

/// A message whose body is only looked at for what is wanted, which of an answer is an `A`. It has the fields of the
/// format and no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "A: Pick<'de>, 'de: 'a"))]
pub(super) struct Glance<'a, A> {
    pub(super) seq: u64,
    pub(super) at_ms: u64,
    pub(super) leg: Leg,
    pub(super) dir: Direction,
    #[serde(default, borrow)]
    pub(super) agent: Option<Cow<'a, str>>,
    #[serde(default, rename = "id")]
    _id: Option<NoDoubles>,
    #[serde(default)]
    cause: Option<u64>,
    pub(super) body: Body<'a, A>,
}

impl<A> Line for Glance<'_, A> {
    fn place(&self) -> (u64, Option<u64>) {
        (self.seq, self.cause)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields, bound(deserialize = "A: Pick<'de>, 'de: 'a"))]
pub(super) enum Body<'a, A> {
    Json(Box<Seen<Frame<'a, A>>>),
    #[serde(borrow, rename = "text", alias = "hex")]
    Other(#[expect(dead_code, reason = "read to see that it is a text")] Cow<'a, str>),
}

/// What is wanted of a call, a decision or an answer.
#[derive(Default)]
pub(super) struct Frame<'a, A> {
    /// As it is written in JSON; empty when there is none.
    pub(super) id: String,
    pub(super) method: Option<Cow<'a, str>>,
    pub(super) call: Params<'a>,
    pub(super) result: A,
    pub(super) grant: Option<Cow<'a, str>>,
    pub(super) session: Option<Cow<'a, str>>,
    pub(super) decision: Option<Cow<'a, str>>,
    pub(super) rule: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a, A: Pick<'de>> Pick<'de> for Frame<'a, A> {
    fn member<M: MapAccess<'de>>(&mut self, name: &str, object: &mut M) -> Result<bool, M::Error> {
        match name {
            "id" => self.id = object.next_value::<Whole>()?.0.to_string(),
            "method" => self.method = object.next_value::<Seen<_>>()?.0,
            "params" => self.call = object.next_value::<Seen<_>>()?.0,
            "result" => self.result = object.next_value::<Seen<_>>()?.0,
            "grant" => self.grant = object.next_value::<Seen<_>>()?.0,
            "session" => self.session = object.next_value::<Seen<_>>()?.0,
            "decision" => self.decision = object.next_value::<Seen<_>>()?.0,
            "rule" => self.rule = object.next_value::<Seen<_>>()?.0,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Which tool is called, and with what.
#[derive(Default)]
pub(super) struct Params<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) arguments: Map<String, Value>,
}

impl<'de: 'a, 'a> Pick<'de> for Params<'a> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<bool, A::Error> {
        match name {
            "name" => self.name = object.next_value::<Seen<_>>()?.0,
            "arguments" => {
                if let Value::Object(arguments) = object.next_value::<Whole>()?.0 {
                    self.arguments = arguments;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What is looked at of a tool's result.
pub(super) trait Answer: for<'de> Pick<'de> {
    fn told(&self) -> &Told;

    /// What became of the call.
    fn outcome(&self) -> Outcome;

    /// What the tool answered, where that is kept.
    fn value(self) -> Option<Value>;
}

/// No more than what is compared, and whether the call succeeded: all that a policy is told which learns nothing else
/// from results.
#[derive(Default)]
pub(super) struct Brief {
    told: Told,
    came: bool,
    failed: bool,
}

impl<'de> Pick<'de> for Brief {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<bool, A::Error> {
        self.came = true;
        match name {
            "structuredContent" => self.told = object.next_value::<Seen<_>>()?.0,
            "isError" => self.failed = object.next_value::<Whole>()?.0 == Value::Bool(true),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Answer for Brief {
    fn told(&self) -> &Told {
        &self.told
    }

    fn outcome(&self) -> Outcome {
        if self.came && !self.failed { Outcome::Succeeded } else { Outcome::Failed }
    }

    fn value(self) -> Option<Value> {
        None
    }
}

/// The whole of it, for a policy that learns from results whose an order is, or what a price.
#[derive(Default)]
pub(super) struct Full {
    brief: Brief,
    structured: Option<Value>,
    text: Option<String>,
}

impl<'de> Pick<'de> for Full {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<bool, A::Error> {
        match name {
            "structuredContent" => {
                let value = object.next_value::<Whole>()?.0;
                self.brief.came = true;
                self.brief.told.is_denied = value.get("denied").is_some();
                self.brief.told.quote = value.get("cummulativeQuoteQty").and_then(Value::as_str).map(str::to_owned);
                self.structured = Some(value);
            }
            "content" => {
                let content = object.next_value::<Whole>()?.0;
                self.brief.came = true;
                let only = content.as_array().filter(|blocks| blocks.len() == 1).and_then(|blocks| blocks.first());
                self.text = only.and_then(|block| block.get("text")).and_then(Value::as_str).map(str::to_owned);
            }
            _ => return self.brief.member(name, object),
        }
        Ok(true)
    }
}

impl Answer for Full {
    fn told(&self) -> &Told {
        self.brief.told()
    }

    fn outcome(&self) -> Outcome {
        self.brief.outcome()
    }

    /// The structured content, or the only text if that is JSON, as a gateway takes it.
    fn value(self) -> Option<Value> {
        let read = |text: String| strict::parse(text.as_bytes(), strict::Limits::default()).ok();
        self.structured.or_else(|| self.text.and_then(read))
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// A gateway said that it refused.
    pub(super) is_denied: bool,
    /// What an order's trades came to.
    pub(super) quote: Option<String>,
}

impl<'de> Pick<'de> for Told {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<bool, A::Error> {
        match name {
            "denied" => self.is_denied = true,
            "cummulativeQuoteQty" => {
                self.quote = object.next_value::<Seen<Option<Cow<'_, str>>>>()?.0.map(Cow::into_owned);
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cassette::Message;

    /// JSON whose objects may have a name twice, in other letters too.
    fn any_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            any::<f64>().prop_map(|value| serde_json::json!(value).to_string()),
            Just("1e999".to_owned()),
            Just(r#""\ud800""#.to_owned()),
            ".{0,6}".prop_map(|text| serde_json::json!(text).to_string()),
        ];
        let names = vec![
            r#""id""#,
            r#""method""#,
            r#""params""#,
            r#""name""#,
            r#""arguments""#,
            r#""result""#,
            r#""structuredContent""#,
            r#""denied""#,
            r#""grant""#,
            r#""rule""#,
            r#""a""#,
            r#""\u0061""#,
            r#""b""#,
            r#""c""#,
            r#""d""#,
            r#""e""#,
        ];
        leaf.prop_recursive(4, 40, 12, move |inner| {
            let member = (prop::sample::select(names.clone()), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
                prop::collection::vec(member, 0..12).prop_map(|members| {
                    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    /// As a line was read before there was a faster way: once for its names, once for its fields.
    fn twice(line: &str) -> Option<Message> {
        serde_json::from_str::<NoDoubles>(line).ok()?;
        serde_json::from_str::<Value>(line).ok().and_then(|value| serde_json::from_value(value).ok())
    }

    proptest! {
        #[test]
        fn a_glance_refuses_what_a_reader_refuses_and_sees_what_it_sees(
            body in any_json(),
            id in prop_oneof![3 => Just("7".to_owned()), 1 => any_json()],
            kind in prop::sample::select(vec!["json", "json", "json", "text", "hex", "other"]),
            more in prop::sample::select(vec!["", "", "", r#","seq":1"#, r#","cause":1"#, r#","what":{}"#]),
        ) {
            let line = format!(
                r#"{{"seq":1,"at_ms":2,"leg":"agent","dir":"out","id":{id},"body":{{"{kind}":{body}}}{more}}}"#
            );
            let message = serde_json::from_str::<Message>(&line);
            let (glance, full) = (serde_json::from_str::<Glance<'_, Brief>>(&line), serde_json::from_str::<Glance<'_, Full>>(&line));
            let expected = twice(&line);
            prop_assert_eq!(glance.is_ok(), expected.is_some(), "{}", line);
            prop_assert_eq!(full.is_ok(), expected.is_some(), "{}", line);
            let message = message.ok();
            prop_assert_eq!(message.as_ref(), expected.as_ref());
            let (Ok(Glance { body: Body::Json(seen), .. }), Some(message)) = (glance, expected) else { return Ok(()) };
            let crate::cassette::Body::Json(value) = message.body else { return Ok(()) };
            let Seen(frame) = *seen;
            let text = |place: &str| value.pointer(place).and_then(Value::as_str);
            prop_assert_eq!(frame.id, value.get("id").map(Value::to_string).unwrap_or_default());
            prop_assert_eq!(frame.method.as_deref(), text("/method"));
            prop_assert_eq!(frame.grant.as_deref(), text("/grant"));
            prop_assert_eq!(frame.rule.as_deref(), text("/rule"));
            prop_assert_eq!(frame.call.name.as_deref(), text("/params/name"));
            let arguments = value.pointer("/params/arguments").and_then(Value::as_object);
            prop_assert_eq!(frame.call.arguments, arguments.cloned().unwrap_or_default());
            let told = value.pointer("/result/structuredContent");
            prop_assert_eq!(frame.result.told.is_denied, told.is_some_and(|told| told.get("denied").is_some()));
            let Ok(Glance { body: Body::Json(full), .. }) = full else { return Ok(()) };
            let Seen(full) = *full;
            prop_assert_eq!(full.result.told().is_denied, frame.result.told.is_denied);
            prop_assert_eq!(full.result.value(), told.cloned());
        }
    }
}
