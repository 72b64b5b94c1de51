//! One request to the exchange, and what is known when no answer comes.
//!
//! Nothing is sent twice: an order whose answer is lost may have been booked, and only the caller can
//! find out. Redirects are not followed and no proxy is taken from the environment, so that a signed
//! request goes to the configured host or nowhere.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::args::Arguments;
use crate::config::{Config, replace};
use crate::error::{CallError, ConfigError, Refusal};
use crate::result::read_json;
use crate::sign::Parameters;
use crate::tools::{Access, Spec};

const API_KEY: HeaderName = HeaderName::from_static("x-mbx-apikey");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const USER_AGENT: &str = concat!("binance-mcp/", env!("CARGO_PKG_VERSION"));

/// An answer longer than this is not read to its end: no endpoint of ours comes near it.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Binance's messages are one sentence; what is longer is cut.
const MAX_MSG_CHARS: usize = 500;

/// The exchange, as configured.
pub(crate) struct Client {
    config: Config,
    base_url: String,
    http: reqwest::Client,
    in_flight: Semaphore,
}

impl Client {
    pub(crate) fn new(config: Config) -> Result<Self, ConfigError> {
        let base_url = config.checked_base_url()?;
        config.check_numbers()?;
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            // Well below the patience of servers: a request on a connection that is just being closed
            // would end as an outcome unknown.
            .pool_idle_timeout(Duration::from_secs(30))
            .connect_timeout(config.connect_timeout)
            .timeout(config.request_timeout)
            .build()
            .map_err(|error| ConfigError::HttpClient { why: error.without_url().to_string() })?;
        Ok(Self { in_flight: Semaphore::new(config.max_in_flight.min(Semaphore::MAX_PERMITS)), config, base_url, http })
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Sends one request and reads its answer.
    ///
    /// `cancelled` counts only while the call waits for its turn: what has begun to leave is seen
    /// through, since dropping it would not undo it.
    pub(crate) async fn call(
        &self,
        spec: &'static Spec,
        arguments: &Arguments,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Value, CallError> {
        if spec.endpoint.access != Access::Public && self.config.credentials.is_none() {
            return Err(CallError::NoCredentials { tool: spec.name });
        }
        let turn = tokio::select! {
            biased;
            () = cancelled => return Err(CallError::Cancelled),
            turn = self.in_flight.acquire() => turn.map_err(|_| CallError::Cancelled)?,
        };
        let (request, signature) = self.request(spec, arguments)?;
        let answer = self.exchange(request, signature.as_deref()).await;
        drop(turn);
        answer
    }

    /// The request of a call, and its signature if it has one.
    fn request(&self, spec: &Spec, arguments: &Arguments) -> Result<(reqwest::Request, Option<String>), CallError> {
        let unreachable = |cause: &str| CallError::Unreachable { cause: cause.to_owned() };
        let mut parameters = Parameters::default();
        for (name, value) in &arguments.params {
            parameters.push(name, value);
        }
        let mut headers = HeaderMap::new();
        let mut signature = None;
        if let Some(keys) = &self.config.credentials
            && spec.endpoint.access != Access::Public
        {
            let mut key =
                HeaderValue::from_str(keys.api_key()).map_err(|_| unreachable("the API key fits no header"))?;
            key.set_sensitive(true);
            headers.insert(API_KEY, key);
            if spec.endpoint.access.is_signed() {
                parameters.push("timestamp", &(self.config.clock)().to_string());
                let recv_window = self.config.recv_window_ms.to_string();
                let recv_window = arguments.recv_window.as_deref().unwrap_or(&recv_window);
                parameters.push("recvWindow", recv_window);
                signature = Some(parameters.sign(keys.secret_key()));
            }
        }
        let parameters = parameters.into_string();
        let mut url = format!("{}{}", self.base_url, spec.endpoint.path);
        let mut body = None;
        if spec.endpoint.method == "POST" {
            if !parameters.is_empty() {
                headers.insert(CONTENT_TYPE, FORM);
                body = Some(parameters);
            }
        } else if !parameters.is_empty() {
            url.push('?');
            url.push_str(&parameters);
        }
        let method = Method::from_bytes(spec.endpoint.method.as_bytes())
            .map_err(|_| unreachable("the method is not one of HTTP"))?;
        let mut request = self.http.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        let request = request.build().map_err(|_| unreachable("the request cannot be built"))?;
        Ok((request, signature))
    }

    async fn exchange(&self, request: reqwest::Request, signature: Option<&str>) -> Result<Value, CallError> {
        let response = self.http.execute(request).await.map_err(|error| self.failure(error, signature))?;
        let status = response.status();
        let retry_after_s = retry_after(response.headers());
        let content_type = content_type(response.headers()).to_owned();
        let body = self.body(response, signature).await?;
        if status.is_success() {
            return read_json(&body).map_err(|why| CallError::Unreadable {
                status: status.as_u16(),
                why: format!("{why} ({content_type}, {} bytes)", body.len()),
            });
        }
        Err(refusal(status, retry_after_s, &body).into())
    }

    async fn body(&self, mut response: Response, signature: Option<&str>) -> Result<String, CallError> {
        let status = response.status().as_u16();
        let unreadable = |why: String| CallError::Unreadable { status, why };
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(error, signature))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(unreadable(format!("it is longer than {MAX_ANSWER_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
        Ok(self.redact(text, signature))
    }

    /// What a failed exchange means for the call.
    fn failure(&self, error: reqwest::Error, signature: Option<&str>) -> CallError {
        // The error's own text holds the URL, and with it the signature.
        let error = error.without_url();
        let cause = self.redact(root_cause(&error), signature);
        if error.is_connect() || error.is_builder() {
            CallError::Unreachable { cause }
        } else if error.is_timeout() {
            CallError::TimedOut { after_ms: self.config.request_timeout.as_millis() }
        } else {
            CallError::Lost { cause }
        }
    }

    /// `text` without keys and signature, should the other side have sent them back.
    fn redact(&self, text: String, signature: Option<&str>) -> String {
        let text = match &self.config.credentials {
            Some(keys) => keys.redact(text),
            None => text,
        };
        match signature {
            Some(signature) => replace(text, signature),
            None => text,
        }
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The media type of an answer, for messages: letters and the signs of such names, no more.
fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(str::trim)
        .filter(|text| {
            text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"/+-.".contains(&byte))
        })
        .unwrap_or("no known content type")
}

/// Reads Binance's error object, `{"code": -1121, "msg": "Invalid symbol."}`, if there is one.
fn refusal(status: StatusCode, retry_after_s: Option<u64>, body: &str) -> Refusal {
    let object: Option<Value> = serde_json::from_str(body).ok();
    let field = |name| object.as_ref().and_then(|object| object.get(name));
    let code = field("code").and_then(Value::as_i64);
    let msg = field("msg")
        .and_then(Value::as_str)
        .map(|msg| msg.chars().take(MAX_MSG_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect());
    Refusal { status: status.as_u16(), code, msg, retry_after_s }
}
