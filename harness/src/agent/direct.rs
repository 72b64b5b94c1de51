//! Requests of the agent to the exchange, past gateway and server.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::scenario::Outcome;

/// An answer of the exchange takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One request.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) params: &'a Map<String, Value>,
}

impl Asked<'_> {
    /// Asks the exchange at this address.
    pub(crate) async fn ask(&self, exchange: &str) -> Result<Answer, String> {
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|error| error.to_string())?;
        let client =
            reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().map_err(|error| error.to_string())?;
        let mut url = reqwest::Url::parse(exchange).map_err(|error| error.to_string())?;
        url.set_path(self.path);
        if !self.params.is_empty() {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().extend_pairs(self.params.iter().map(|(name, value)| (name, text(value))));
        }
        let mut request = client.request(method, url);
        if let Some(key) = self.key {
            request = request.header("X-MBX-APIKEY", key);
        }
        // The address has a port that differs from run to run.
        let response = request.send().await.map_err(|error| error.without_url().to_string())?;
        let succeeded = response.status().is_success();
        let text = response.text().await.map_err(|error| error.without_url().to_string())?;
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer {
            outcome: if succeeded { Outcome::Allowed } else { Outcome::Error },
            code: value.get("code").and_then(Value::as_i64),
            value: if value.is_array() { json!({ "items": value }) } else { value },
            text,
            ..Answer::silent()
        })
    }
}
