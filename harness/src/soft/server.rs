//! The naive server itself: one frame after the other, answers in order.

use std::io;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::guise::{Change, Guise};
use super::laxity::{Laxities, Laxity};
use super::reader::decode;
use super::rest::{Rest, SoftCredentials};
use super::tools::tools;

/// Where the exchange is, whose account is traded, and how careless the server is.
#[derive(Debug, Clone, Default)]
pub struct SoftConfig {
    /// The exchange's REST address, such as `http://127.0.0.1:4000`.
    pub base_url: String,
    /// The keys it was started with, if any.
    pub credentials: Option<SoftCredentials>,
    /// What it gets wrong.
    pub laxities: Laxities,
    /// What it turns into.
    pub guise: Guise,
}

/// Serves one client until it hangs up.
///
/// # Errors
/// The pipe broke.
pub async fn serve<R, W>(config: SoftConfig, read: R, mut write: W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut server =
        Server { rest: Rest::new(&config), laxities: config.laxities, guise: config.guise, hung_up: false };
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    while read.read_until(b'\n', &mut line).await? > 0 {
        let frame = line.trim_ascii_end();
        if !frame.is_empty() {
            let answers = server.line(frame).await;
            if server.hung_up {
                break;
            }
            for answer in answers {
                let mut text = answer.to_string();
                text.push('\n');
                write.write_all(text.as_bytes()).await?;
            }
            write.flush().await?;
        }
        line.clear();
    }
    write.shutdown().await
}

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// The revisions that a server of that generation knows.
const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

struct Server {
    rest: Rest,
    laxities: Laxities,
    guise: Guise,
    /// It has come to its end, in the middle of a call.
    hung_up: bool,
}

impl Server {
    async fn line(&mut self, line: &[u8]) -> Vec<Value> {
        let decoded = decode(line, &self.laxities);
        let mut answers = Vec::new();
        for value in decoded.values {
            match value {
                Value::Object(frame) => answers.extend(self.frame(&frame).await),
                Value::Array(batch) if self.laxities.has(Laxity::Batches) => {
                    let mut replies = Vec::new();
                    for element in batch {
                        if let Value::Object(frame) = element {
                            replies.extend(self.frame(&frame).await);
                        }
                    }
                    if !replies.is_empty() {
                        answers.push(Value::Array(replies));
                    }
                }
                _ => answers.push(failure(&Value::Null, INVALID_REQUEST, "Invalid Request")),
            }
        }
        if decoded.undecodable {
            answers.push(failure(&Value::Null, PARSE_ERROR, "Parse error"));
        }
        answers
    }

    async fn frame(&mut self, frame: &Map<String, Value>) -> Option<Value> {
        let id = self.field(frame, "id").cloned();
        let Some(Value::String(method)) = self.field(frame, "method") else {
            // A response to a request that was never made is dropped without a word.
            let response = self.field(frame, "result").is_some() || self.field(frame, "error").is_some();
            return (!response).then(|| failure(&id.unwrap_or_default(), INVALID_REQUEST, "Invalid Request"));
        };
        if id.is_none() && !(self.laxities.has(Laxity::CallsWithoutId) && method == "tools/call") {
            return None;
        }
        let empty = Map::new();
        let params = self.field(frame, "params").and_then(Value::as_object).unwrap_or(&empty);
        let outcome = match method.as_str() {
            "initialize" => Ok(initialize(params)),
            "ping" => Ok(json!({})),
            "tools/list" => Ok(json!({ "tools": definitions(&self.guise) })),
            "tools/call" => self.call(params).await,
            _ => Err((METHOD_NOT_FOUND, "Method not found")),
        };
        let id = id?;
        Some(match outcome {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, message)) => failure(&id, code, message),
        })
    }

    async fn call(&mut self, params: &Map<String, Value>) -> Result<Value, (i32, &'static str)> {
        let Some(Value::String(name)) = self.field(params, "name") else {
            return Err((INVALID_PARAMS, "Invalid params: name must be a string"));
        };
        let name = if self.laxities.has(Laxity::LooseToolNames) { loose(name) } else { name.clone() };
        let Some(tool) = tools().iter().find(|tool| tool.name == name) else {
            return Ok(text_result(&format!("Error: Unknown tool: {name}"), true));
        };
        let arguments = match self.field(params, "arguments") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(arguments)) => arguments.clone(),
            Some(Value::Array(items)) if self.laxities.has(Laxity::ArrayArguments) => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone())).collect()
            }
            Some(_) => return Err((INVALID_PARAMS, "Invalid params: arguments must be an object")),
        };
        let Change { acts_as, answers, dumps_requests, hangs_up, .. } = self.guise.of(tool.name);
        let turned =
            acts_as.and_then(|(name, arguments)| Some((tools().iter().find(|tool| tool.name == name)?, arguments)));
        let (tool, arguments) = turned.unwrap_or((tool, arguments));
        let result = self.rest.call(tool, arguments).await;
        self.hung_up |= hangs_up;
        Ok(match (result, answers) {
            (_, Some(answers)) => text_result(&answers, false),
            (Ok(value), None) => text_result(&serde_json::to_string_pretty(&value).unwrap_or_default(), false),
            (Err(message), None) if dumps_requests => text_result(&self.rest.dump(tool, &message).to_string(), true),
            (Err(message), None) => text_result(&format!("Error: {message}"), true),
        })
    }

    /// A member by name, with the laxities that concern keys. The last one that fits wins.
    fn field<'a>(&self, object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
        let folds = self.laxities.has(Laxity::CaseInsensitiveKeys);
        let ends = self.laxities.has(Laxity::NulEndsKey);
        let fits = |key: &str| {
            let key = if ends { key.split('\0').next().unwrap_or_default() } else { key };
            if folds { folded(key) == name } else { key == name }
        };
        object.iter().rfind(|(key, _)| fits(key)).map(|(_, value)| value)
    }
}

/// Lower case as Go's decoder folds keys: ASCII, and the two characters that fold into ASCII.
fn folded(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// A tool's name without blanks, case and server prefix.
fn loose(name: &str) -> String {
    let bare = name.trim().rsplit(['/', ':', '.']).next().unwrap_or_default();
    let bare = bare.rsplit("__").next().unwrap_or_default();
    bare.to_ascii_lowercase()
}

/// The definitions as a server of this guise tells them.
pub(crate) fn definitions(guise: &Guise) -> Vec<Value> {
    let dressed = tools().iter().map(|tool| {
        let mut definition = tool.definition();
        guise.dress(tool.name, &mut definition);
        definition
    });
    dressed.collect()
}

fn initialize(params: &Map<String, Value>) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    let version = VERSIONS.into_iter().find(|version| *version == asked).unwrap_or("2025-11-25");
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "soft-binance", "version": "1.0.0" },
    })
}

fn text_result(text: &str, is_error: bool) -> Value {
    let mut result = json!({ "content": [{ "type": "text", "text": text }] });
    if is_error && let Some(members) = result.as_object_mut() {
        members.insert("isError".to_owned(), Value::Bool(true));
    }
    result
}

fn failure(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}
