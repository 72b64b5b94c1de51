//! Deliberate defects of a gateway, each one that real gateways had.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::wire::Members;

/// One deliberate defect. A suite that stays green over it proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GatewayMutation {
    /// Filters `tools/list` and forwards every call without asking the guard.
    ListFilteredCallsOpen,
    /// Parses with whatever JSON allows, the first of equal keys counting and case ignored, and
    /// forwards the client's own `params`.
    RawBytesForwarded,
    /// Passes every result on as it came, whatever the policy says of results.
    ResultsUnread,
    /// Lets calls through that it could not put on record.
    AuditFailureAllows,
    /// Puts on record what it lets through, and nothing else.
    DenialsUnrecorded,
    /// Binds an approval to the tool and to nobody's arguments.
    ApprovalUnbound,
    /// Lets an approval serve again and again.
    ApprovalReused,
    /// Lets tools be called whatever their definitions are.
    PinsIgnored,
    /// Counts from nothing after a policy was replaced.
    ReloadForgets,
    /// Puts a policy in force that allows everything where a document is none.
    BrokenReloadAllows,
    /// Keeps what was charged in memory, so that a restart forgets it.
    LedgerUnwritten,
    /// Lets calls through that the store, its own or the shared one, did not take.
    StoreFailureAllows,
}

impl GatewayMutation {
    /// Every mutation.
    pub const ALL: [Self; 12] = [
        Self::ListFilteredCallsOpen,
        Self::RawBytesForwarded,
        Self::ResultsUnread,
        Self::AuditFailureAllows,
        Self::DenialsUnrecorded,
        Self::ApprovalUnbound,
        Self::ApprovalReused,
        Self::PinsIgnored,
        Self::ReloadForgets,
        Self::BrokenReloadAllows,
        Self::LedgerUnwritten,
        Self::StoreFailureAllows,
    ];

    /// The mutation's name in kebab case, for command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ListFilteredCallsOpen => "list-filtered-calls-open",
            Self::RawBytesForwarded => "raw-bytes-forwarded",
            Self::ResultsUnread => "results-unread",
            Self::AuditFailureAllows => "audit-failure-allows",
            Self::DenialsUnrecorded => "denials-unrecorded",
            Self::ApprovalUnbound => "approval-unbound",
            Self::ApprovalReused => "approval-reused",
            Self::PinsIgnored => "pins-ignored",
            Self::ReloadForgets => "reload-forgets",
            Self::BrokenReloadAllows => "broken-reload-allows",
            Self::LedgerUnwritten => "ledger-unwritten",
            Self::StoreFailureAllows => "store-failure-allows",
        }
    }
}

impl fmt::Display for GatewayMutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no mutation's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no gateway mutation is called `{name}`: use one of {}", GatewayMutation::ALL.map(GatewayMutation::name).join(", "))]
pub struct UnknownGatewayMutation {
    name: String,
}

impl FromStr for GatewayMutation {
    type Err = UnknownGatewayMutation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mutation| mutation.name() == name)
            .ok_or_else(|| UnknownGatewayMutation { name: name.to_owned() })
    }
}

/// A frame as a careless gateway reads it, and its `params` as they stand in it.
pub(crate) fn careless(frame: &[u8]) -> Option<(Value, Option<Box<RawValue>>)> {
    let mut parser = serde_json::Deserializer::from_slice(frame);
    let value = Careless { fold: 2 }.deserialize(&mut parser).ok()?;
    let members: Members<'_> = serde_json::from_slice(frame).ok()?;
    let params = members.0.into_iter().rfind(|(name, _)| name == "params");
    Some((value, params.map(|(_, params)| Cow::into_owned(params))))
}

/// Builds values with the first of equal keys; keys are folded in the outermost `fold` objects.
#[derive(Clone, Copy)]
struct Careless {
    fold: u8,
}

impl<'de> DeserializeSeed<'de> for Careless {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Careless {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Self { fold: 0 })? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let key = if self.fold > 0 { key.to_lowercase() } else { key };
            let value = map.next_value_seed(Self { fold: self.fold.saturating_sub(1) })?;
            object.entry(key).or_insert(value);
        }
        Ok(Value::Object(object))
    }
}
