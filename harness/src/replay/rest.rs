//! What a request to an exchange asks.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::fingerprint::Fingerprint;
use super::names;
use crate::cassette::Body;
use crate::record::RestRequest;

/// Method, path, and the parameters of query and form without what belongs to signing. In which order parameters came,
/// and how they were escaped, does not count.
pub(super) fn fingerprint(request: &RestRequest) -> Fingerprint {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut asked = Map::new();
    asked.insert("method".to_owned(), request.method.clone().into());
    asked.insert("path".to_owned(), path.into());
    let mut put = |name: &str, parameters: Map<String, Value>| {
        if !parameters.is_empty() {
            asked.insert(name.to_owned(), Value::Object(parameters));
        }
    };
    put("query", parameters(query));
    match &request.body {
        Some(Body::Text(text)) if is_form(request, text) => put("form", parameters(text)),
        Some(Body::Json(value)) => put("body", Map::from_iter([("json".to_owned(), value.clone())])),
        Some(Body::Text(text)) => put("body", Map::from_iter([("text".to_owned(), json!(text))])),
        Some(Body::Hex(digits)) => put("body", Map::from_iter([("hex".to_owned(), json!(digits))])),
        None => {}
    }
    Fingerprint::new(format!("{} {path}", request.method), Value::Object(asked))
}

fn is_form(request: &RestRequest, text: &str) -> bool {
    match request.headers.get("content-type") {
        Some(kind) => kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"),
        None => text.contains('='),
    }
}

/// One that was sent several times is a list.
fn parameters(text: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    // The one reader of such text that everybody agrees on is that of URLs.
    let Ok(mut url) = Url::parse("http://localhost/") else { return parameters };
    url.set_query(Some(text));
    for (name, value) in url.query_pairs().filter(|(name, _)| !names::SIGNING.contains(&name.as_ref())) {
        if name.is_empty() && value.is_empty() {
            continue;
        }
        let value = Value::from(value.into_owned());
        match parameters.get_mut(name.as_ref()) {
            None => {
                parameters.insert(name.into_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    parameters
}

/// An answer with its body as a value.
pub(super) fn unwrapped(mut answer: Value) -> Value {
    if let Some(body) = answer.get_mut("body")
        && let Some(inner) = body.as_object_mut().and_then(|members| members.values_mut().next()).map(Value::take)
    {
        *body = inner;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, target: &str, body: Option<&str>) -> Fingerprint {
        let body = body.map(|body| Body::of(body.as_bytes()));
        fingerprint(&RestRequest {
            id: 1,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: [].into(),
            body,
        })
    }

    #[test]
    fn signing_and_order_do_not_count() {
        let one = of("POST", "/api/v3/order?b=2&timestamp=1&a=1", Some("d=x+y&recvWindow=5000&c=%5B3%5D&signature=00"));
        let other = of("POST", "/api/v3/order?a=1&b=2&signature=ff&timestamp=2", Some("c=[3]&d=x%20y"));
        assert_eq!(one, other);
        assert_eq!(one.label, "POST /api/v3/order");
        assert_eq!(
            one.to_string(),
            r#"{"form":{"c":"[3]","d":"x y"},"method":"POST","path":"/api/v3/order","query":{"a":"1","b":"2"}}"#
        );
    }

    #[test]
    fn everything_else_counts() {
        let one = of("GET", "/x?a=0.10", None);
        for other in [
            of("PUT", "/x?a=0.10", None),
            of("GET", "/y?a=0.10", None),
            of("GET", "/x?a=0.1", None),
            of("GET", "/x?a=0.10&a=0.10", None),
            of("GET", "/x", Some("a=0.10")),
            of("GET", "/x?a=0.10", Some(r#"{"a":1}"#)),
        ] {
            assert_ne!(one.exact(), other.exact());
        }
        assert_eq!(of("GET", "/x?a=1&a=2", None).value["query"], json!({ "a": ["1", "2"] }));
        assert_eq!(of("GET", "/x?", None), of("GET", "/x", None));
    }
}
