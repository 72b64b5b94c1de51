//! The public lists that scenarios name, and the policy features: codes, titles, addresses.
//!
//! Titles are those of the lists themselves, shortened: the OWASP MCP Top 10 (2025), the OWASP Top 10 for Agentic
//! Applications (2026), the techniques of SAFE-MCP.

/// A list whose entries scenarios name.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// What it is called.
    pub title: &'static str,
    /// Where it is published.
    pub address: &'static str,
    /// All its entries; those that scenarios name, where the list has hundreds.
    pub entries: &'static [(&'static str, &'static str)],
}

/// OWASP MCP Top 10.
pub const OWASP_MCP: List = List {
    title: "OWASP MCP Top 10",
    address: "https://owasp.org/www-project-mcp-top-10/",
    entries: &[
        ("MCP01", "Token mismanagement and secret exposure"),
        ("MCP02", "Privilege escalation by scope creep"),
        ("MCP03", "Tool poisoning"),
        ("MCP04", "Supply chain and dependency tampering"),
        ("MCP05", "Command injection"),
        ("MCP06", "Intent flow subversion"),
        ("MCP07", "Insufficient authentication and authorization"),
        ("MCP08", "Lack of audit and telemetry"),
        ("MCP09", "Shadow MCP servers"),
        ("MCP10", "Context injection and over-sharing"),
    ],
};

/// OWASP Top 10 for Agentic Applications.
pub const OWASP_AGENTIC: List = List {
    title: "OWASP Agentic Top 10",
    address: "https://genai.owasp.org/resource/owasp-top-10-for-agentic-applications-for-2026/",
    entries: &[
        ("ASI01", "Agent goal hijack"),
        ("ASI02", "Tool misuse"),
        ("ASI03", "Identity and privilege abuse"),
        ("ASI04", "Agentic supply chain"),
        ("ASI05", "Unexpected code execution"),
        ("ASI06", "Memory and context poisoning"),
        ("ASI07", "Insecure inter-agent communication"),
        ("ASI08", "Cascading failures"),
        ("ASI09", "Human trust exploitation"),
        ("ASI10", "Rogue agents"),
    ],
};

/// SAFE-MCP, as far as scenarios name it.
pub const SAFE_MCP: List =
    List { title: "SAFE-MCP", address: "https://github.com/safe-agentic-framework/safe-mcp", entries: &[] };

/// What a policy can do, by the codes of `stops`.
pub const FEATURES: &[(&str, &str)] = &[
    ("PF1", "Only listed tools, by their exact names"),
    ("PF2", "Hidden tools"),
    ("PF3", "Closed arguments: names, values, types, lengths"),
    ("PF4", "Numbers compared as decimals"),
    ("PF5", "Worth of an order: quantity times price, or a reference price"),
    ("PF6", "Distance of a price from a reference"),
    ("PF7", "Rates over sliding windows"),
    ("PF8", "Budgets that are charged before a call leaves"),
    ("PF9", "Sequences: this only after that"),
    ("PF10", "Ratios, and no trading with oneself"),
    ("PF11", "Approval by a person, bound to one call"),
    ("PF12", "Limits by identity and session; own orders only"),
    ("PF13", "Pinned tool definitions"),
    ("PF14", "Limits and redaction of results"),
    ("PF15", "An audit that shows tampering"),
    ("PF16", "What cannot be judged is denied"),
    ("PF17", "Policies replaced whole"),
    ("PF18", "Strict parsing: one reading of a frame"),
    ("PF19", "A kill switch"),
    ("PF20", "Only listed methods"),
    ("PF21", "A cap on calls at a time"),
    ("PF22", "Breaking of loops"),
    ("PF23", "Only listed symbols"),
    ("PF24", "Checks of host, origin and address"),
    ("PF25", "Annotations of a server decide nothing"),
];

/// The title of a feature; nothing for a code that is none.
pub fn feature(code: &str) -> Option<&'static str> {
    FEATURES.iter().find(|(known, _)| *known == code).map(|(_, title)| *title)
}

impl List {
    /// The title of an entry.
    pub fn entry(&self, code: &str) -> Option<&'static str> {
        self.entries.iter().find(|(known, _)| *known == code).map(|(_, title)| *title)
    }
}
