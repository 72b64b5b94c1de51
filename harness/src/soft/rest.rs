//! The naive server's way to the exchange: it asks the time, adds what it was given, signs and sends.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::laxity::{Laxities, Laxity};
use super::server::SoftConfig;
use super::tools::{Security, ToolSpec};

/// A key and its secret. Neither is ever shown.
#[derive(Clone)]
pub struct SoftCredentials {
    /// Goes into the header `X-MBX-APIKEY`.
    pub api_key: String,
    /// Signs the parameters.
    pub secret_key: String,
}

impl fmt::Debug for SoftCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftCredentials(redacted)")
    }
}

const NO_KEYS: &str = "BINANCE_API_KEY and BINANCE_SECRET_KEY are needed for this tool. Set them in the environment.";

pub(super) struct Rest {
    http: reqwest::Client,
    base_url: String,
    credentials: Option<SoftCredentials>,
    laxities: Laxities,
}

impl Rest {
    pub(super) fn new(config: &SoftConfig) -> Self {
        Self {
            http: reqwest::Client::new(),
            base_url: config.base_url.clone(),
            credentials: config.credentials.clone(),
            laxities: config.laxities.clone(),
        }
    }

    /// Carries out one tool call. The error is the text that the agent is shown.
    pub(super) async fn call(&self, tool: &ToolSpec, mut arguments: Map<String, Value>) -> Result<Value, String> {
        arguments.shift_remove("_fields");
        let credentials = self.credentials_for(&mut arguments);
        let mut parameters = self.parameters(tool, arguments)?;
        let key = match tool.security {
            Security::None => None,
            Security::UserStream => Some(credentials.ok_or(NO_KEYS)?.api_key),
            Security::Signed => {
                let credentials = credentials.ok_or(NO_KEYS)?;
                let time = self.send("GET", "/api/v3/time", "", None).await?;
                let time = time.get("serverTime").map(ToString::to_string).unwrap_or_default();
                set(&mut parameters, "timestamp", time);
                if !parameters.iter().any(|(name, _)| name == "recvWindow") {
                    parameters.push(("recvWindow".to_owned(), "5000".to_owned()));
                }
                let signature = sign(&credentials.secret_key, &self.encoded(&parameters))?;
                parameters.push(("signature".to_owned(), signature));
                Some(credentials.api_key)
            }
        };
        self.send(tool.method, tool.path, &self.encoded(&parameters), key.as_deref()).await
    }

    fn encoded(&self, parameters: &[(String, String)]) -> String {
        let query = encoded(parameters);
        if self.laxities.has(Laxity::SeparatorsUnescaped) {
            query.replace("%26", "&").replace("%3D", "=")
        } else {
            query
        }
    }

    /// An error with the request that it came of, as a careless program prints it.
    pub(super) fn dump(&self, tool: &ToolSpec, message: &str) -> Value {
        let key = self.credentials.as_ref().map(|credentials| credentials.api_key.as_str());
        let headers = json!({ "X-MBX-APIKEY": key });
        json!({ "message": message, "config": { "method": tool.method, "url": tool.path, "headers": headers } })
    }

    fn credentials_for(&self, arguments: &mut Map<String, Value>) -> Option<SoftCredentials> {
        if !self.laxities.has(Laxity::CredentialsFromArguments) {
            return self.credentials.clone();
        }
        let mut taken = |name: &str| arguments.shift_remove(name).map(|value| text_of(&value));
        let (api_key, secret_key) = (taken("BINANCE_API_KEY"), taken("BINANCE_SECRET_KEY"));
        let own = self.credentials.as_ref();
        Some(SoftCredentials {
            api_key: api_key.or_else(|| own.map(|own| own.api_key.clone()))?,
            secret_key: secret_key.or_else(|| own.map(|own| own.secret_key.clone()))?,
        })
    }

    fn parameters(&self, tool: &ToolSpec, arguments: Map<String, Value>) -> Result<Vec<(String, String)>, String> {
        let mut parameters = Vec::new();
        for (name, value) in arguments {
            if !tool.declares(&name) && !self.laxities.has(Laxity::UndeclaredArguments) {
                return Err(format!("Unknown argument: {name}"));
            }
            if (value.is_object() || value.is_array()) && !self.laxities.has(Laxity::AnythingIsText) {
                return Err(format!("Invalid argument: {name}"));
            }
            parameters.push((name, text_of(&value)));
        }
        Ok(parameters)
    }

    async fn send(&self, method: &str, path: &str, payload: &str, key: Option<&str>) -> Result<Value, String> {
        let url = format!("{}{path}", self.base_url);
        let with_query = if payload.is_empty() { url.clone() } else { format!("{url}?{payload}") };
        let request = match method {
            "GET" => self.http.get(with_query),
            "DELETE" => self.http.delete(with_query),
            "PUT" => self.http.put(with_query),
            _ => {
                self.http.post(url).header("Content-Type", "application/x-www-form-urlencoded").body(payload.to_owned())
            }
        };
        let request = match key {
            Some(key) => request.header("X-MBX-APIKEY", key),
            None => request,
        };
        // The address holds the signature and a port that differs from run to run.
        let response = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| error.without_url().to_string())?;
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let reason = match (value.get("msg"), value.get("code")) {
            (Some(message), _) => text_of(message),
            (None, Some(code)) => text_of(code),
            (None, None) => status.canonical_reason().unwrap_or_default().to_owned(),
        };
        Err(format!("Binance API Error {}: {reason}", status.as_u16()))
    }
}

/// Sets a member as an object spread does: an earlier one of that name is overwritten in its place.
fn set(parameters: &mut Vec<(String, String)>, name: &str, value: String) {
    match parameters.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => parameters.push((name.to_owned(), value)),
    }
}

fn sign(secret: &str, payload: &str) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(payload.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

/// `URLSearchParams.toString`.
fn encoded(parameters: &[(String, String)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{}={}", form(name), form(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn form(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    out
}

/// `String(value)`.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::String(text) => text.clone(),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| fraction_text(number.as_f64()), |whole| whole.to_string())
        }
        // Inside a join, `null` is empty.
        Value::Array(items) => {
            let texts = items.iter().map(|item| if item.is_null() { String::new() } else { text_of(item) });
            texts.collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => "[object Object]".to_owned(),
    }
}

/// A number as JavaScript writes it: plain between 1e-6 and 1e21, with an exponent outside.
fn fraction_text(number: Option<f64>) -> String {
    let Some(number) = number else { return "NaN".to_owned() };
    let size = number.abs();
    if number == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    if size >= 1e21 { text.replace('e', "e+") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_text_as_in_javascript() {
        for (value, expected) in [
            (json!(["BTCUSDT", null, 1]), "BTCUSDT,,1"),
            (json!({ "$gt": 0 }), "[object Object]"),
            (json!(0.5), "0.5"),
            (json!(1e21), "1e+21"),
            (json!(1e-7), "1e-7"),
            (json!(5), "5"),
            (json!(null), "null"),
        ] {
            assert_eq!(text_of(&value), expected);
        }
    }

    #[test]
    fn forms_are_encoded_as_urlsearchparams_does() {
        let pairs = [("a b".to_owned(), "x&y=z/é*".to_owned())];
        assert_eq!(encoded(&pairs), "a+b=x%26y%3Dz%2F%C3%A9*");
    }

    #[test]
    fn the_documented_signature_comes_out() {
        // Binance's own example, "Signed endpoint examples for POST /api/v3/order".
        let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        let payload = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        assert_eq!(sign(secret, payload).unwrap(), signature);
    }

    #[test]
    fn keys_do_not_show() {
        let credentials = SoftCredentials { api_key: "k".repeat(64), secret_key: "s".repeat(64) };
        assert_eq!(format!("{credentials:?}"), "SoftCredentials(redacted)");
    }
}
