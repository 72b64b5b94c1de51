//! The declared lists: what differs between two takes of the same session without meaning anything.
//!
//! Everything that replaying overlooks is on this page. What is not here is compared as it stands.

use crate::cassette::Leg;

/// Fields of a signed request that follow from the moment and the key.
pub(super) const SIGNING: [&str; 3] = ["timestamp", "recvWindow", "signature"];

/// What a JSON-RPC message has for its envelope; `id` is mapped, and means nothing by itself.
pub(super) const ENVELOPE: [&str; 2] = ["jsonrpc", "id"];

/// Beside a request's parameters, about its transport: progress tokens, trace ids.
pub(super) const META: &str = "_meta";

/// A request whose parameters tell who asks and not what is asked.
pub(super) const GREETING: &str = "initialize";

/// A request that asks for a sign of life. Every side may ask at any time, so it is answered whether or not it is on
/// the tape, and it is not missed when it stays away.
pub(super) const LIVENESS: &str = "ping";

/// Fields of a message that follow from which build and which policy answered, and from how many were answered before.
pub(super) const BUILD: [(Leg, &str); 4] = [
    (Leg::Decision, "/policy"),
    (Leg::Decision, "/seq"),
    // Older builds did not tell them.
    (Leg::Decision, "/charges"),
    (Leg::Agent, "/result/serverInfo/version"),
];

/// Fields that tell a moment, and counts that start anew with one. They count where the tape's clock stood still between
/// steps, as that of a scenario does; one that was recorded by a real clock cannot be met to the millisecond.
pub(super) const MOMENTS: [&str; 20] = [
    "E",
    "O",
    "T",
    "W",
    "closeTime",
    "createTime",
    "insertTime",
    "openTime",
    "serverTime",
    "time",
    "timestamp",
    "transactTime",
    "ts_ms",
    "updateTime",
    "workingTime",
    "x-mbx-order-count-10s",
    "x-mbx-order-count-1d",
    "x-mbx-used-weight",
    "x-mbx-used-weight-1m",
    "retry-after",
];

/// What an id is the id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IdOf {
    Order,
    OrderByClient,
    OrderList,
    Listener,
}

/// What a field of this name is the id of.
pub(super) fn id_of(name: &str) -> Option<IdOf> {
    match name {
        "orderId" | "cancelOrderId" => Some(IdOf::Order),
        "orderListId" => Some(IdOf::OrderList),
        "listenKey" => Some(IdOf::Listener),
        _ => is_client_id(name).then_some(IdOf::OrderByClient),
    }
}

/// Whether a field holds the id that a client gave an order or a list: made anew by most clients each time, so that
/// another one is the same request, as long as each stands for the same one throughout.
pub(super) fn is_client_id(name: &str) -> bool {
    name.len() >= 13 && name.to_ascii_lowercase().ends_with("clientorderid")
}
