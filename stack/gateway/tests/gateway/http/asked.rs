//! Requests of the server over HTTP: whom they reach, and whose answers count.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Site, call, initialize, json_of, modern, send};
use crate::support::{Bench, Line, answer, in_time};

fn everything() -> Bench {
    let policy = json!({ "version": "2", "default": "deny", "manifest": { "echo": { "arguments": ["a"] } },
                         "tools": { "echo": {} }, "methods": { "*": "allow" } });
    Bench::under(&policy.to_string())
}

async fn site() -> Site {
    Site::with(everything(), None, |_| {}).await
}

/// Opens a session with the test as the server; its id and the server.
async fn open(site: &mut Site) -> (String, Line) {
    let opening = tokio::spawn(send(site.post(&initialize())));
    let mut server = site.servers.recv().await.unwrap();
    let asked = server.next().await;
    server.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).to_string()).await;
    (opening.await.unwrap().headers()["mcp-session-id"].to_str().unwrap().to_owned(), server)
}

/// The next message of a stream of events.
async fn event(response: &mut Response) -> Value {
    let chunk = in_time(response.chunk()).await.unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(data).unwrap()
}

fn asks(id: impl Into<Value>) -> String {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "elicitation/create", "params": {"message": "m"}}).to_string()
}

fn says(id: &Value, who: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": {"action": "accept", "content": {"who": who}}})
}

#[tokio::test]
async fn a_request_comes_with_the_call_and_its_answer_goes_back_to_the_server() {
    let mut site = site().await;
    let (session, mut server) = open(&mut site).await;
    // Somebody listens as well, and hears nothing of it.
    let _listening = send(site.request(Method::GET).header("mcp-session-id", &session)).await;
    let calling = tokio::spawn(send(site.in_session(&session, &call(5, "echo", json!({})))));
    let of_call = server.next().await["id"].clone();
    server.send(&asks("theirs")).await;
    let mut calling = calling.await.unwrap();
    let asked = event(&mut calling).await;
    assert_eq!((&asked["method"], &asked["params"]["message"]), (&json!("elicitation/create"), &json!("m")));
    assert_eq!(send(site.in_session(&session, &says(&asked["id"], "me"))).await.status(), 202);
    let told = server.next().await;
    assert_eq!((&told["id"], &told["result"]["content"]["who"]), (&json!("theirs"), &json!("me")));
    server.send(&answer(&of_call, "done")).await;
    assert_eq!(event(&mut calling).await["result"]["content"][0]["text"], "done");
    // A second answer is one too many.
    let again = send(site.in_session(&session, &says(&asked["id"], "me"))).await;
    assert_eq!(again.status(), 400);
}

#[tokio::test]
async fn an_answer_counts_in_its_own_session_alone() {
    let mut site = site().await;
    let (one, mut server_of_one) = open(&mut site).await;
    let (other, mut server_of_other) = open(&mut site).await;
    let mut listening = send(site.request(Method::GET).header("mcp-session-id", &one)).await;
    server_of_one.send(&asks(7)).await;
    let asked = event(&mut listening).await;
    // The other session was asked nothing: an answer to the id that this one has goes nowhere.
    assert_eq!(send(site.in_session(&other, &says(&asked["id"], "a stranger"))).await.status(), 400);
    assert_eq!(send(site.post(&says(&asked["id"], "nobody"))).await.status(), 400);
    assert_eq!(send(site.in_session(&one, &says(&asked["id"], "me"))).await.status(), 202);
    assert_eq!(server_of_one.next().await["result"]["content"]["who"], "me");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let pinging = tokio::spawn(send(site.in_session(&other, &ping)));
    let sentinel = server_of_other.next().await;
    assert_eq!(sentinel["method"], "ping", "nothing reached the other server: {sentinel}");
    server_of_other.send(&json!({"jsonrpc": "2.0", "id": sentinel["id"], "result": {}}).to_string()).await;
    pinging.await.unwrap();
}

#[tokio::test]
async fn clients_without_a_session_are_not_asked_and_change_nothing_for_others() {
    let mut site = site().await;
    let calling = tokio::spawn(send(site.alone(&modern(call(5, "echo", json!({}))))));
    let mut server = site.servers.recv().await.unwrap();
    let of_call = server.next().await["id"].clone();
    server.send(&asks("theirs")).await;
    assert_eq!(server.next().await["error"]["data"]["reason"], "method_refused");
    server.send(&answer(&of_call, "done")).await;
    assert_eq!(json_of(calling.await.unwrap()).await["result"]["content"][0]["text"], "done");
    for (method, params) in
        [("logging/setLevel", json!({"level": "debug"})), ("resources/subscribe", json!({"uri": "test://a"}))]
    {
        let request = modern(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        let refused = send(site.alone(&request)).await;
        assert_eq!(refused.status(), 404, "{method}");
        assert_eq!(json_of(refused).await["error"]["data"]["reason"], "method_refused");
    }
    let read = modern(json!({"jsonrpc": "2.0", "id": 1, "method": "prompts/list", "params": {}}));
    let reading = tokio::spawn(send(site.alone(&read)));
    let id = server.next().await["id"].clone();
    server.send(&json!({"jsonrpc": "2.0", "id": id, "result": {"prompts": [{"name": "p"}]}}).to_string()).await;
    assert_eq!(json_of(reading.await.unwrap()).await["result"]["prompts"][0]["name"], "p");
}

#[tokio::test]
async fn a_server_whose_client_does_not_take_its_request_is_told() {
    let mut site = site().await;
    let (session, mut server) = open(&mut site).await;
    // More than a client that reads nothing is kept for: the oldest goes, and it is a request.
    server.send(&asks("lost")).await;
    for _ in 0..64 {
        server.send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#).await;
    }
    let told = server.next().await;
    assert_eq!((&told["id"], &told["error"]["data"]["reason"]), (&json!("lost"), &json!("client_slow")));
    // And one whose client ends the session.
    server.send(&asks("late")).await;
    let ended = send(site.request(Method::DELETE).header("mcp-session-id", &session)).await;
    assert_eq!(ended.status(), 204);
    assert_eq!(server.next().await["error"]["data"]["reason"], "client_gone");
}

#[tokio::test]
async fn who_names_events_first_gets_the_answer_as_one() {
    let mut site = site().await;
    let (session, mut server) = open(&mut site).await;
    let body = call(5, "echo", json!({})).to_string();
    let request = site.client.post(&site.url).bearer_auth(&site.token).header("mcp-session-id", &session);
    let request = request.header("content-type", "application/json").body(body);
    let calling = tokio::spawn(send(request.header("accept", "text/event-stream, application/json")));
    let id = server.next().await["id"].clone();
    server.send(&answer(&id, "done")).await;
    let events = super::events_of(calling.await.unwrap()).await;
    assert_eq!((events.len(), &events[0]["result"]["content"][0]["text"]), (1, &json!("done")));
}
