//! What a session did, in numbers.

/// Counts of one session, returned when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SessionSummary {
    /// Well-formed tool calls that were judged.
    pub calls: u64,
    /// Of these, how many were forwarded.
    pub allowed: u64,
    /// How many were denied.
    pub denied: u64,
    /// How many would have needed a person's approval.
    pub escalated: u64,
    /// Frames of the client that were refused without asking the policy.
    pub refused_frames: u64,
    /// Frames of the server that were malformed, unasked for or not carried.
    pub dropped_from_server: u64,
    /// Forwarded calls whose outcome is unknown.
    pub unknown_outcomes: u64,
    /// How often the server was started again.
    pub restarts: u64,
    /// The server closed its end while its client was still there.
    pub server_left_first: bool,
}
