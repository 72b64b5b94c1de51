//! What client and server tell of themselves, cut down to what passes the gateway.

use std::borrow::Cow;
use std::collections::BTreeSet;

use mcp_policy::Sender;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::listed::Listed;
use super::methods::Ruled;
use crate::config::Identity;
use crate::gateway::Gateway;
use crate::wire::{Members, Text};

/// How many tools are remembered to have an output schema. More are no listing of honest tools.
const REMEMBERED_MAX: usize = 10_000;

const CLIENT_CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// Cuts what a client offers to do for the server (sampling, elicitation, roots, tasks) down to what reaches it, so that
/// the server does not count on the rest.
///
/// It stands in `capabilities` of `initialize`, since 2026-07-28 in `_meta` of every request. There it offers results that
/// ask for something, which are not carried.
pub(super) fn trim_client_capabilities(params: &mut Map<String, Value>, gateway: &Gateway, identity: &Identity) {
    // No other method that passes has a member of this name.
    if let Some(capabilities) = params.get_mut("capabilities") {
        let mut kept = Map::new();
        let offered = capabilities.as_object_mut().map(std::mem::take).unwrap_or_default();
        for (name, mut value) in offered {
            let passes = |method| gateway.offers(identity, Sender::Server, method) == Some(true);
            let is_kept = match name.as_str() {
                "sampling" => passes("sampling/createMessage"),
                "elicitation" => passes("elicitation/create"),
                "roots" => passes("roots/list"),
                _ => false,
            };
            if is_kept {
                if name == "roots"
                    && gateway.offers(identity, Sender::Client, "notifications/roots/list_changed") != Some(true)
                    && let Some(roots) = value.as_object_mut()
                {
                    roots.shift_remove("listChanged");
                }
                kept.insert(name, value);
            }
        }
        *capabilities = Value::Object(kept);
    }
    let meta = params.get_mut("_meta").and_then(Value::as_object_mut);
    if let Some(capabilities) = meta.and_then(|meta| meta.get_mut(CLIENT_CAPABILITIES_KEY)) {
        *capabilities = json!({});
    }
}

/// What a server announces.
struct Announced {
    name: &'static str,
    /// The requests that make use of it.
    used_by: &'static [&'static str],
    /// What else it may say about it, and the messages that this is about.
    details: &'static [(&'static str, Sender, &'static str)],
}

const ANNOUNCED: [Announced; 5] = [
    Announced {
        name: "tools",
        used_by: &["tools/list"],
        details: &[("listChanged", Sender::Server, "notifications/tools/list_changed")],
    },
    Announced {
        name: "resources",
        used_by: &["resources/list", "resources/templates/list", "resources/read"],
        details: &[
            ("subscribe", Sender::Client, "resources/subscribe"),
            ("listChanged", Sender::Server, "notifications/resources/list_changed"),
        ],
    },
    Announced {
        name: "prompts",
        used_by: &["prompts/list", "prompts/get"],
        details: &[("listChanged", Sender::Server, "notifications/prompts/list_changed")],
    },
    Announced { name: "completions", used_by: &["completion/complete"], details: &[] },
    Announced { name: "logging", used_by: &["logging/setLevel"], details: &[] },
];

/// Cuts the capabilities in a handshake's result down to what passes.
pub(super) fn trim_server_capabilities<'a>(
    result: &'a RawValue,
    gateway: &Gateway,
    identity: &Identity,
) -> Result<Members<'a>, serde_json::Error> {
    let mut result: Members<'_> = serde_json::from_str(result.get())?;
    if let Some(capabilities) = result.get_mut("capabilities") {
        let offered: Members<'_> = serde_json::from_str(capabilities.get())?;
        let mut kept = Members::default();
        for (name, value) in offered.0 {
            let Some(Announced { used_by, details, .. }) = ANNOUNCED.iter().find(|known| known.name == name) else {
                continue;
            };
            // A policy that rules nothing but tools says nothing of them either.
            let passes = |sender, method| gateway.offers(identity, sender, method).unwrap_or(name == "tools");
            if !used_by.iter().any(|method| passes(Sender::Client, method)) {
                continue;
            }
            let mut inner: Members<'_> = serde_json::from_str(value.get())?;
            inner.0.retain(|(detail, _)| {
                details.iter().all(|(known, sender, method)| known != detail || passes(*sender, method))
            });
            kept.0.push((name, Cow::Owned(serde_json::value::to_raw_value(&inner)?)));
        }
        let trimmed = serde_json::value::to_raw_value(&kept)?;
        *capabilities = Cow::Owned(trimmed);
    }
    Ok(result)
}

/// Takes out of a list what its reader could not ask for. A list that cannot be read is an error.
pub(super) fn filter_named<'a>(
    result: &'a RawValue,
    ruled: Ruled,
    gateway: &Gateway,
    identity: &Identity,
) -> Result<Members<'a>, serde_json::Error> {
    let mut result: Members<'a> = serde_json::from_str(result.get())?;
    let Some((member, key, method)) = ruled.lists else { return Ok(result) };
    let Some(list) = result.get_mut(member) else {
        return Err(serde::de::Error::missing_field(member));
    };
    let raw: Vec<&RawValue> = serde_json::from_str(list.get())?;
    let mut names = Vec::with_capacity(raw.len());
    for item in &raw {
        let mut members: Members<'_> = serde_json::from_str(item.get())?;
        let Some(name) = members.get_mut(key) else { return Err(serde::de::Error::missing_field(key)) };
        names.push(serde_json::from_str::<String>(name.get())?);
    }
    let shown = gateway.shows(identity, method, names.iter().map(String::as_str));
    let kept: Vec<&RawValue> = raw.into_iter().zip(shown).filter_map(|(item, shown)| shown.then_some(item)).collect();
    let kept = serde_json::value::to_raw_value(&kept)?;
    *list = Cow::Owned(kept);
    Ok(result)
}

/// Takes out of a `tools/list` result what the policy does not show, and notes which of the tools
/// declare an output schema. Everything else stays as the server wrote it.
///
/// A list that cannot be read is an error: no part of it may be shown.
pub(super) fn filter_tools<'a>(
    result: &'a RawValue,
    gateway: &Gateway,
    identity: &Identity,
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
    let visible = gateway.visible(identity, tools.iter().map(|tool| tool.name.0.as_ref()));

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
