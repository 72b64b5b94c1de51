//! What client and server tell of themselves, cut down to what passes the gateway.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::listed::Listed;
use crate::gateway::Gateway;
use crate::wire::{Members, Text};

/// How many tools are remembered to have an output schema. More are no listing of honest tools.
const REMEMBERED_MAX: usize = 10_000;

const CLIENT_CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// Empties what a client offers to do for the server (sampling, elicitation, roots, tasks): such
/// requests would not reach it, so the server should not count on them.
///
/// It stands in `capabilities` of `initialize`, since 2026-07-28 in `_meta` of every request.
pub(super) fn trim_client_capabilities(params: &mut Map<String, Value>) {
    // No other method that passes has a member of this name.
    if let Some(capabilities) = params.get_mut("capabilities") {
        *capabilities = json!({});
    }
    let meta = params.get_mut("_meta").and_then(Value::as_object_mut);
    if let Some(capabilities) = meta.and_then(|meta| meta.get_mut(CLIENT_CAPABILITIES_KEY)) {
        *capabilities = json!({});
    }
}

/// Cuts the capabilities in a handshake's result down to tools.
pub(super) fn trim_server_capabilities(result: &RawValue) -> Result<Members<'_>, serde_json::Error> {
    let mut result: Members<'_> = serde_json::from_str(result.get())?;
    if let Some(capabilities) = result.get_mut("capabilities") {
        let mut kept: Members<'_> = serde_json::from_str(capabilities.get())?;
        kept.0.retain(|(name, _)| name == "tools");
        let trimmed = serde_json::value::to_raw_value(&kept)?;
        *capabilities = Cow::Owned(trimmed);
    }
    Ok(result)
}

/// Takes out of a `tools/list` result what the policy does not show, and notes which of the tools
/// declare an output schema. Everything else stays as the server wrote it.
///
/// A list that cannot be read is an error: no part of it may be shown.
pub(super) fn filter_tools<'a>(
    result: &'a RawValue,
    gateway: &Gateway,
    with_output_schema: &mut BTreeSet<String>,
    listed: &mut Listed,
) -> Result<Members<'a>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Tool<'a> {
        #[serde(borrow)]
        name: Text<'a>,
        #[serde(rename = "outputSchema")]
        output_schema: Option<IgnoredAny>,
    }

    let mut result: Members<'a> = serde_json::from_str(result.get())?;
    let Some(list) = result.get_mut("tools") else {
        return Err(serde::de::Error::missing_field("tools"));
    };
    let raw: Vec<&RawValue> = serde_json::from_str(list.get())?;
    let tools = raw.iter().map(|tool| serde_json::from_str::<Tool<'_>>(tool.get())).collect::<Result<Vec<_>, _>>()?;
    let visible = gateway.visible(tools.iter().map(|tool| tool.name.0.as_ref()));

    let pinned = if gateway.pins().is_some() {
        let definition = |(tool, raw): (&Tool<'_>, &&RawValue)| {
            Ok((tool.name.0.clone().into_owned(), serde_json::from_str(raw.get())?))
        };
        let definitions = tools.iter().zip(&raw).map(definition).collect::<Result<Vec<_>, serde_json::Error>>()?;
        listed.look(gateway, &definitions)
    } else {
        vec![true; tools.len()]
    };

    let mut kept = Vec::with_capacity(raw.len());
    for (((tool, raw), visible), pinned) in tools.iter().zip(raw).zip(visible).zip(pinned) {
        if !visible || !pinned {
            continue;
        }
        kept.push(raw);
        let name = tool.name.0.as_ref();
        if tool.output_schema.is_none() {
            with_output_schema.remove(name);
        } else if with_output_schema.len() < REMEMBERED_MAX {
            with_output_schema.insert(name.to_owned());
        }
    }
    let kept = serde_json::value::to_raw_value(&kept)?;
    *list = Cow::Owned(kept);
    Ok(result)
}
