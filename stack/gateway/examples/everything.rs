//! A server that has everything of MCP that the official conformance suite asks a server for.
//!
//! ```sh
//! cargo run -p mcp-gateway --example everything                # on standard streams
//! cargo run -p mcp-gateway --example everything -- --listen    # over HTTP, on a port of the system's choice
//! ```
//!
//! `just conformance` runs the suite against it, directly and through the gateway. Names and contents are the suite's.
#![allow(deprecated, reason = "the suite asks for what newer versions of the protocol have given up")]
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a fixture, not a service")]

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientResult, CompleteRequestParams, CompleteResult,
    CustomRequest, ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ResourceUpdatedNotificationParam, ServerCapabilities, ServerConfig,
    ServerRequest, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// One red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A sound without samples.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

const WATCHED: &str = "test://watched-resource";

#[derive(Clone)]
struct Everything;

/// What the protocol calls so, from the JSON that stands in the specification.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn text(text: impl Into<String>) -> Value {
    json!({ "content": [{ "type": "text", "text": text.into() }] })
}

fn tools() -> Value {
    let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required });
    let bare = |name: &str, what: &str| json!({ "name": name, "description": what, "inputSchema": object(json!({}), json!([])) });
    json!([
        bare("test_simple_text", "Tells a text"),
        bare("test_image_content", "Tells an image"),
        bare("test_audio_content", "Tells a sound"),
        bare("test_embedded_resource", "Tells a resource"),
        bare("test_multiple_content_types", "Tells a text, an image and a resource"),
        bare("test_tool_with_logging", "Logs three times"),
        bare("test_tool_with_progress", "Reports progress three times"),
        bare("test_error_handling", "Fails"),
        bare("test_watched_resource", "Says that the watched resource has changed"),
        bare("test_elicitation_sep1034_defaults", "Asks a person, with defaults"),
        bare("test_elicitation_sep1330_enums", "Asks a person to choose"),
        bare("test_roots", "Asks for the client's roots"),
        { "name": "test_sampling", "description": "Asks the client's model",
          "inputSchema": object(json!({ "prompt": { "type": "string" } }), json!(["prompt"])) },
        { "name": "test_elicitation", "description": "Asks a person",
          "inputSchema": object(json!({ "message": { "type": "string" } }), json!(["message"])) },
        { "name": "json_schema_2020_12_tool", "description": "Has a schema of JSON Schema 2020-12",
          "inputSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "$defs": { "address": { "type": "object", "properties": {
                "street": { "type": "string" }, "city": { "type": "string" } } } },
            "properties": { "name": { "type": "string" }, "address": { "$ref": "#/$defs/address" } },
            "additionalProperties": false } }
    ])
}

/// Asks the client something, under the request that this is about.
async fn ask(context: &RequestContext<RoleServer>, method: &str, params: Value) -> Result<Value, ErrorData> {
    let request = ServerRequest::CustomRequest(CustomRequest::new(method, Some(params)));
    let answer = context.peer.send_request(request).await;
    let answer: ClientResult = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    serde_json::to_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

async fn elicit(context: &RequestContext<RoleServer>, message: &str, properties: Value) -> Result<Value, ErrorData> {
    let schema = json!({ "type": "object", "properties": properties, "required": [] });
    let params = json!({ "message": message, "requestedSchema": schema });
    let told = ask(context, "elicitation/create", params).await?;
    Ok(text(format!("Elicitation completed: action={}, content={}", told["action"], told["content"])))
}

async fn call(
    name: &str,
    arguments: &Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> Result<Value, ErrorData> {
    let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    Ok(match name {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => json!({ "content": [{ "type": "image", "data": PNG, "mimeType": "image/png" }] }),
        "test_audio_content" => json!({ "content": [{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }] }),
        "test_embedded_resource" => json!({ "content": [{ "type": "resource", "resource": {
            "uri": "test://embedded-resource", "mimeType": "text/plain",
            "text": "This is an embedded resource content." } }] }),
        "test_multiple_content_types" => json!({ "content": [
            { "type": "text", "text": "Multiple content types test:" },
            { "type": "image", "data": PNG, "mimeType": "image/png" },
            { "type": "resource", "resource": { "uri": "test://mixed-content-resource",
                "mimeType": "application/json", "text": "{\"test\":\"data\",\"value\":123}" } } ] }),
        "test_error_handling" => json!({ "isError": true, "content": [
            { "type": "text", "text": "This tool intentionally returns an error for testing" }] }),
        "test_tool_with_logging" => {
            for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(context, message).await?;
            }
            text("logged")
        }
        "test_tool_with_progress" => {
            if let Some(token) = context.meta.get_progress_token() {
                for done in [0.0, 50.0, 100.0] {
                    let news = ProgressNotificationParam::new(token.clone(), done).with_total(100.0);
                    let told = context.peer.notify_progress(news).await;
                    told.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
                }
            }
            text("done")
        }
        "test_watched_resource" => {
            let told = context.peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(WATCHED)).await;
            told.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
            text("told")
        }
        "test_sampling" => {
            let message = json!({ "role": "user", "content": { "type": "text", "text": argument("prompt") } });
            let params = json!({ "messages": [message], "maxTokens": 100 });
            let told = ask(context, "sampling/createMessage", params).await?;
            text(format!("LLM response: {}", told["content"]["text"].as_str().unwrap_or_default()))
        }
        "test_roots" => text(ask(context, "roots/list", json!({})).await?.to_string()),
        "test_elicitation" => {
            let properties = json!({ "username": { "type": "string", "description": "User's response" },
                                     "email": { "type": "string", "description": "User's email address" } });
            let schema = json!({ "type": "object", "properties": properties, "required": ["username", "email"] });
            let params = json!({ "message": argument("message"), "requestedSchema": schema });
            let told = ask(context, "elicitation/create", params).await?;
            text(format!("User response: action: {}, content: {}", told["action"], told["content"]))
        }
        "test_elicitation_sep1034_defaults" => {
            let properties = json!({
                "name": { "type": "string", "default": "John Doe" },
                "age": { "type": "integer", "default": 30 },
                "score": { "type": "number", "default": 95.5 },
                "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
                "verified": { "type": "boolean", "default": true } });
            elicit(context, "Look at the defaults", properties).await?
        }
        "test_elicitation_sep1330_enums" => {
            let titled = |names: [&str; 3]| -> Vec<Value> {
                let values = ["value1", "value2", "value3"];
                values.iter().zip(names).map(|(value, name)| json!({ "const": value, "title": name })).collect()
            };
            let options = json!(["option1", "option2", "option3"]);
            let properties = json!({
                "untitledSingle": { "type": "string", "enum": options },
                "titledSingle": { "type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"]) },
                "legacyEnum": { "type": "string", "enum": ["opt1", "opt2", "opt3"],
                                "enumNames": ["Option One", "Option Two", "Option Three"] },
                "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
                "titledMulti": { "type": "array",
                                 "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) } } });
            elicit(context, "Choose", properties).await?
        }
        "json_schema_2020_12_tool" => text(Value::Object(arguments.clone()).to_string()),
        _ => return Err(ErrorData::invalid_params(format!("there is no tool {name}"), None)),
    })
}

async fn log(context: &RequestContext<RoleServer>, message: &str) -> Result<(), ErrorData> {
    let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(message));
    let told = context.peer.notify_logging_message(message).await;
    told.map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn resource(uri: &str) -> Option<Value> {
    if let Some(id) = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data")) {
        let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
        return Some(json!({ "uri": uri, "mimeType": "application/json", "text": data.to_string() }));
    }
    Some(match uri {
        "test://static-text" => json!({ "uri": uri, "mimeType": "text/plain",
                                        "text": "This is the content of the static text resource." }),
        "test://static-binary" => json!({ "uri": uri, "mimeType": "image/png", "blob": PNG }),
        WATCHED => json!({ "uri": uri, "mimeType": "text/plain", "text": "Watch this." }),
        _ => return None,
    })
}

fn prompt(name: &str, arguments: &Map<String, Value>) -> Option<Value> {
    let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let says = |content: Value| json!({ "role": "user", "content": content });
    let text = |text: &str| says(json!({ "type": "text", "text": text }));
    let messages = match name {
        "test_simple_prompt" => json!([text("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => {
            let told = format!("Prompt with arguments: arg1='{}', arg2='{}'", argument("arg1"), argument("arg2"));
            json!([text(&told)])
        }
        "test_prompt_with_embedded_resource" => json!([
            says(json!({ "type": "resource", "resource": { "uri": argument("resourceUri"),
                "mimeType": "text/plain", "text": "Embedded resource content for testing." } })),
            text("Please process the embedded resource above.")
        ]),
        "test_prompt_with_image" => json!([
            says(json!({ "type": "image", "data": PNG, "mimeType": "image/png" })),
            text("Please analyze the image above.")
        ]),
        _ => return None,
    };
    Some(json!({ "messages": messages }))
}

impl ServerHandler for Everything {
    fn get_info(&self) -> ServerConfig {
        let everything = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_completions()
            .enable_logging()
            .build();
        ServerConfig::new(everything).with_server_info(Implementation::new("everything", "1"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        typed(json!({ "tools": tools() }))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        typed::<CallToolResult>(call(&request.name, &arguments, &context).await?).map(Into::into)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let listed =
            |uri: &str, kind: &str| json!({ "uri": uri, "name": uri, "description": "A fixture", "mimeType": kind });
        typed(json!({ "resources": [
            listed("test://static-text", "text/plain"),
            listed("test://static-binary", "image/png"),
            listed(WATCHED, "text/plain"),
        ] }))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        typed(json!({ "resourceTemplates": [{ "uriTemplate": "test://template/{id}/data", "name": "data",
            "description": "Data by their id", "mimeType": "application/json" }] }))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some(contents) = resource(&request.uri) else {
            return Err(ErrorData::resource_not_found("there is no such resource", None));
        };
        typed::<ReadResourceResult>(json!({ "contents": [contents] })).map(Into::into)
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let needs = |name: &str| json!({ "name": name, "description": "Any text", "required": true });
        typed(json!({ "prompts": [
            { "name": "test_simple_prompt", "description": "One message" },
            { "name": "test_prompt_with_arguments", "description": "A message with two arguments",
              "arguments": [needs("arg1"), needs("arg2")] },
            { "name": "test_prompt_with_embedded_resource", "description": "A message with a resource",
              "arguments": [needs("resourceUri")] },
            { "name": "test_prompt_with_image", "description": "A message with an image" }
        ] }))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let Some(told) = prompt(&request.name, &request.arguments.unwrap_or_default()) else {
            return Err(ErrorData::invalid_params("there is no such prompt", None));
        };
        typed::<GetPromptResult>(told).map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let known = ["paris", "park", "party", "test"];
        let values: Vec<_> = known.into_iter().filter(|known| known.starts_with(&request.argument.value)).collect();
        typed(json!({ "completion": { "total": values.len(), "values": values, "hasMore": false } }))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if std::env::args().nth(1).as_deref() != Some("--listen") {
        let running = Everything.serve(rmcp::transport::stdio()).await.unwrap();
        running.waiting().await.unwrap();
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}/mcp", listener.local_addr().unwrap());
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Everything), sessions, StreamableHttpServerConfig::default());
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await.unwrap();
}
