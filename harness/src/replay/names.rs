//! The declared lists: what differs between two takes of the same session without meaning anything.
//!
//! Everything that replaying overlooks is on this page. What is not here is compared as it stands.

/// What a JSON-RPC message has for its envelope; `id` is mapped, and means nothing by itself.
pub(super) const ENVELOPE: [&str; 2] = ["jsonrpc", "id"];

/// Beside a request's parameters, about its transport: progress tokens, trace ids.
pub(super) const META: &str = "_meta";

/// A request whose parameters tell who asks and not what is asked.
pub(super) const GREETING: &str = "initialize";

/// A request that asks for a sign of life. Every side may ask at any time, so it is answered whether or not it is on
/// the tape, and it is not missed when it stays away.
pub(super) const LIVENESS: &str = "ping";

/// Whether a field holds the id that a client gave an order or a list: made anew by most clients each time, so that
/// another one is the same request, as long as each stands for the same one throughout.
pub(super) fn is_client_id(name: &str) -> bool {
    name.len() >= 13 && name.to_ascii_lowercase().ends_with("clientorderid")
}
