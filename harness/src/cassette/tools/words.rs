//! One message in a line of words.

use serde_json::Value;

use super::super::{Body, Direction, Leg, Message};
use crate::record::{RestRequest, RestResponse};

const SHOWN_CHARS: usize = 160;

/// What a message says, without its wire and direction. Control characters are escaped: a frame must not repaint the
/// terminal that it is shown on.
pub(crate) fn words(message: &Message) -> String {
    let said = match &message.body {
        Body::Json(value) => match message.leg {
            Leg::Agent | Leg::Upstream => mcp(value),
            Leg::Rest => rest(message.dir, value),
            Leg::Ws => stream(value),
            Leg::Decision => decision(value),
        },
        Body::Text(text) => format!("no plain JSON: {text}"),
        Body::Hex(digits) => format!("no text: {digits}"),
    };
    shortened(&said)
}

fn mcp(value: &Value) -> String {
    let method = value.get("method").and_then(Value::as_str);
    match method {
        Some("tools/call") => {
            let name = value.pointer("/params/name").and_then(Value::as_str).unwrap_or("a tool without a name");
            format!("{name} {}", pairs(value.pointer("/params/arguments")))
        }
        Some(method) => method.to_owned(),
        None => match (value.get("error"), value.get("result")) {
            (Some(error), _) => {
                let code = error.get("code").map(Value::to_string).unwrap_or_default();
                format!("error {code}: {}", text_of(error.get("message")))
            }
            (None, Some(result)) => {
                let text = text_of(result.pointer("/content/0/text"));
                if result.get("isError") == Some(&Value::Bool(true)) {
                    format!("error: {text}")
                } else if text.is_empty() {
                    format!("answer {result}")
                } else {
                    text
                }
            }
            (None, None) => value.to_string(),
        },
    }
}

fn rest(dir: Direction, value: &Value) -> String {
    let body = |body: Option<&Body>| body.map_or_else(String::new, |body| format!(" {}", plain(body)));
    match dir {
        Direction::Out => match serde_json::from_value::<RestRequest>(value.clone()) {
            Ok(request) => format!("{} {}{}", request.method, request.target, body(request.body.as_ref())),
            Err(_) => value.to_string(),
        },
        Direction::Back => match serde_json::from_value::<RestResponse>(value.clone()) {
            Ok(response) if response.status == 0 => "the connection broke".to_owned(),
            Ok(response) => format!("{}{}", response.status, body(response.body.as_ref())),
            Err(_) => value.to_string(),
        },
    }
}

fn stream(value: &Value) -> String {
    let frame = value.get("frame").and_then(|frame| serde_json::from_value::<Body>(frame.clone()).ok());
    match frame {
        Some(frame) => plain(&frame),
        None => value.to_string(),
    }
}

fn decision(value: &Value) -> String {
    let field = |name| text_of(value.get(name));
    let (decision, rule, reason, message) = (field("decision"), field("rule"), field("reason"), field("message"));
    [decision, rule, reason, message].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

fn plain(body: &Body) -> String {
    match body {
        Body::Json(value) => value.to_string(),
        Body::Text(text) => text.clone(),
        Body::Hex(digits) => digits.clone(),
    }
}

fn pairs(arguments: Option<&Value>) -> String {
    match arguments {
        Some(Value::Object(arguments)) => {
            let pair = |(name, value): (&String, &Value)| format!("{name}={}", text_of(Some(value)));
            arguments.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

fn shortened(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().take(SHOWN_CHARS) {
        if character.is_control() { line.extend(character.escape_default()) } else { line.push(character) }
    }
    if text.chars().nth(SHOWN_CHARS).is_some() {
        line.push('…');
    }
    line
}
