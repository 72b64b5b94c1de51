//! The shapes of which the table is made.

/// What the exchange asks of a caller (REST reference, "Request Security").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Public: neither key nor signature.
    Public,
    /// `USER_STREAM`: the API key in a header, no signature.
    ApiKey,
    /// `USER_DATA`: API key and signature; reads the account.
    SignedRead,
    /// `TRADE`: API key and signature; the key needs the permission to trade.
    SignedTrade,
}

impl Access {
    /// Whether the request carries a timestamp and a signature.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::SignedRead | Self::SignedTrade)
    }
}

/// Where a tool's request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// HTTP method.
    pub method: &'static str,
    /// Path below the base URL.
    pub path: &'static str,
    /// Key and signature.
    pub access: Access,
}

/// MCP annotations. The choices are explained beside the constants in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "MCP has these four, independent of each other")]
pub struct Hints {
    /// Changes nothing at the exchange.
    pub read_only: bool,
    /// May undo, spend or end something that the caller cannot restore.
    pub destructive: bool,
    /// Doing it twice leaves what doing it once leaves.
    pub idempotent: bool,
    /// Reaches a world that others change too.
    pub open_world: bool,
}

/// One tool.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) hints: Hints,
    /// In the order in which they are sent.
    pub(crate) params: &'static [Param],
    /// Names for the columns of an answer whose rows are arrays; empty for all others.
    pub(crate) columns: &'static [&'static str],
    /// For tools that change something: how to find out what happened when no answer came.
    pub(crate) when_unknown: &'static str,
}

/// One argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
}

impl Param {
    pub(crate) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, required: true, kind, about }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, required: false, kind, about }
    }
}

/// What values an argument takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A trading pair. ASCII only: look-alike letters cannot stand in for a listed pair.
    Symbol,
    /// Several pairs, written as a JSON array in a string, as the exchange wants it.
    SymbolList,
    /// An amount, as a string, so that no digit is lost on the way.
    Decimal,
    /// A whole number within bounds.
    Integer { min: u64, max: u64, default: Option<u64> },
    /// One of a list.
    Choice(&'static [&'static str]),
    /// A client order id.
    ClientOrderId,
    /// A listen key.
    ListenKey,
    /// `_fields`: handled here, never sent.
    FieldList,
}

/// The largest integer that every JSON reader keeps exactly.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

impl Kind {
    /// The regular expression of string kinds.
    pub(crate) fn pattern(self) -> Option<&'static str> {
        Some(match self {
            Self::Symbol => "^[A-Z0-9._-]{1,20}$",
            Self::SymbolList => r#"^\["[A-Z0-9._-]{1,20}"(,"[A-Z0-9._-]{1,20}")*\]$"#,
            Self::Decimal => r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?$",
            Self::ClientOrderId => "^[A-Za-z0-9_-]{1,36}$",
            Self::ListenKey => "^[A-Za-z0-9_-]{1,128}$",
            Self::FieldList => "^[A-Za-z0-9_]{1,64}( ?, ?[A-Za-z0-9_]{1,64})*$",
            Self::Integer { .. } | Self::Choice(_) => return None,
        })
    }

    /// The longest string taken, where the pattern alone leaves it open.
    pub(crate) fn max_length(self) -> Option<u64> {
        match self {
            Self::SymbolList => Some(2_500),
            Self::FieldList => Some(1_000),
            _ => None,
        }
    }

    /// What to write, for the caller who wrote something else.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Symbol => "a symbol in upper-case letters and digits, such as \"BTCUSDT\"".into(),
            Self::SymbolList => {
                r#"a JSON array of symbols written as one string without blanks, such as "[\"BTCUSDT\",\"ETHUSDT\"]""#
                    .into()
            }
            Self::Decimal => "a decimal number written as a string, without sign, exponent, blanks or leading \
                 zeros, such as \"0.015\""
                .into(),
            Self::Integer { min, max, .. } => {
                format!("a whole number from {min} to {max}, written without quotes, fraction or exponent")
            }
            Self::Choice(options) => format!("one of {}", options.join(", ")),
            Self::ClientOrderId => "1 to 36 letters, digits, hyphens or underscores".into(),
            Self::ListenKey => "the listen key exactly as bn_create_listen_key returned it".into(),
            Self::FieldList => "names of top-level fields, separated by commas, such as \"symbol,price\"".into(),
        }
    }
}
