//! The catalogue: the published names and parameters, closed and valid schemas, stated annotations.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end with a panic")]

mod common;

use binance_mcp::tools;
use common::{Session, config, minimal_arguments};
use rmcp::model::PaginatedRequestParams;
use rmcp::service::ServiceError;
use serde_json::{Map, Value, json};

#[test]
fn names_parameters_and_endpoints_are_the_published_ones() {
    let published: Value = serde_json::from_str(include_str!("data/tools.json")).unwrap();
    let published: Vec<Value> = published["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            let params: Vec<&String> = tool["params"].as_object().unwrap().keys().collect();
            json!({
                "name": tool["name"], "method": tool["method"], "path": tool["path"],
                "security": tool["security"], "required": tool["required"], "params": params,
            })
        })
        .collect();
    let ours: Vec<Value> = tools()
        .iter()
        .map(|tool| {
            let params: Vec<&String> = tool.input_schema["properties"].as_object().unwrap().keys().collect();
            json!({
                "name": tool.name, "method": tool.endpoint.method, "path": tool.endpoint.path,
                "security": tool.endpoint.access.security(),
                "required": tool.input_schema.get("required").cloned().unwrap_or(json!([])),
                "params": params,
            })
        })
        .collect();
    assert_eq!(ours.len(), 23);
    for (ours, published) in ours.iter().zip(&published) {
        assert_eq!(ours, published);
    }
    assert_eq!(ours.len(), published.len());
}

/// The type and bounds that each published parameter has come to mean.
#[test]
fn parameter_types_are_the_published_ones() {
    let published: Value = serde_json::from_str(include_str!("data/tools.json")).unwrap();
    for (ours, published) in tools().iter().zip(published["tools"].as_array().unwrap()) {
        for (name, note) in published["params"].as_object().unwrap() {
            let note = note.as_str().unwrap();
            let property = &ours.input_schema["properties"][name];
            let expected = if note.starts_with("integer") || note == "ms" { "integer" } else { "string" };
            assert_eq!(property["type"], expected, "{} {name}", ours.name);
            if note == "decimal string" {
                assert!(property["pattern"].as_str().unwrap().contains(r"\."), "{} {name}", ours.name);
            }
            if note.contains("max 1000") {
                assert_eq!((&property["maximum"], &property["default"]), (&json!(1000), &json!(500)));
            }
            if name == "interval" {
                let intervals: Vec<&str> = note.split(' ').collect();
                assert_eq!(property["enum"], json!(intervals));
            }
        }
    }
}

#[test]
fn schemas_are_valid_closed_and_bounded() {
    for tool in tools() {
        let schema = &tool.input_schema;
        jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{}: {error}", tool.name));
        assert_eq!(schema["additionalProperties"], json!(false), "{}", tool.name);
        assert_eq!(schema["type"], "object");
        for (name, property) in schema["properties"].as_object().unwrap() {
            let place = format!("{} {name}: {property}", tool.name);
            assert!(!property["description"].as_str().unwrap().is_empty(), "{place}");
            match property["type"].as_str().unwrap() {
                "integer" => assert!(property["minimum"].is_u64() && property["maximum"].is_u64(), "{place}"),
                "string" => assert!(property["enum"].is_array() || property["pattern"].is_string(), "{place}"),
                other => panic!("{place}: {other}"),
            }
        }
        let validator = jsonschema::validator_for(schema).unwrap();
        let minimal = minimal_arguments(tool.name);
        assert!(validator.is_valid(&minimal), "{} {minimal}", tool.name);
        let mut open = minimal;
        open["withdraw"] = json!("x");
        assert!(!validator.is_valid(&open), "{} takes unknown arguments", tool.name);
    }
}

#[test]
fn annotations_are_stated_one_by_one() {
    let stated: Map<String, Value> = tools()
        .iter()
        .map(|tool| {
            let hints = tool.hints;
            assert!(hints.open_world, "{}", tool.name);
            let words: Vec<&str> =
                [(hints.read_only, "reads"), (hints.destructive, "destroys"), (hints.idempotent, "idempotent")]
                    .iter()
                    .filter_map(|(holds, word)| holds.then_some(*word))
                    .collect();
            (tool.name.to_owned(), json!(words.join(" ")))
        })
        .collect();
    for (name, words) in &stated {
        let expected = match name.as_str() {
            "bn_new_order" | "bn_cancel_order" | "bn_cancel_all_orders" => "destroys",
            "bn_create_listen_key" => "",
            "bn_keepalive_listen_key" => "idempotent",
            "bn_close_listen_key" => "destroys idempotent",
            _ => "reads idempotent",
        };
        assert_eq!(words, expected, "{name}");
    }
}

#[test]
fn descriptions_tell_weight_and_answer() {
    let mut titles = Vec::new();
    for tool in tools() {
        assert!(!titles.contains(&tool.title), "{} is used twice", tool.title);
        titles.push(tool.title);
        for word in ["eight ", "eturns ", "."] {
            // `bn_test_order` and the like all say what they cost and what comes back.
            assert!(tool.description.contains(word), "{}: {}", tool.name, tool.description);
        }
        assert!(tool.description.is_ascii() && tool.description.len() < 600, "{}", tool.name);
        assert!(!tool.description.contains("  "), "{}: {}", tool.name, tool.description);
    }
}

#[tokio::test]
async fn a_client_sees_the_same_catalogue() {
    let session = Session::open(config("http://127.0.0.1:1")).await;
    let listed = session.client.peer().list_tools(None).await.unwrap();
    assert_eq!(listed.next_cursor, None);
    let expected = tools();
    assert_eq!(listed.tools.len(), expected.len());
    for (listed, expected) in listed.tools.iter().zip(&expected) {
        assert_eq!(listed.name, expected.name);
        assert_eq!(listed.title.as_deref(), Some(expected.title));
        assert_eq!(listed.description.as_deref(), Some(expected.description));
        assert_eq!(Value::Object((*listed.input_schema).clone()), expected.input_schema);
        let hints = listed.annotations.as_ref().unwrap();
        assert_eq!(hints.read_only_hint, Some(expected.hints.read_only));
        assert_eq!(hints.destructive_hint, Some(expected.hints.destructive));
        assert_eq!(hints.idempotent_hint, Some(expected.hints.idempotent));
        assert_eq!(hints.open_world_hint, Some(expected.hints.open_world));
    }
    let page = PaginatedRequestParams::default().with_cursor(Some("2".to_owned()));
    let error = session.client.peer().list_tools(Some(page)).await.unwrap_err();
    assert!(matches!(&error, ServiceError::McpError(data) if data.code.0 == -32602), "{error:?}");
    session.close().await;
}
