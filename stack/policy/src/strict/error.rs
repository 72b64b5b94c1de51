//! Why a text is not closed JSON.

use std::fmt;

use super::place::Place;

/// Why a text was refused, and where. Its words hold no value from the text, only keys, escaped and cut short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrictError {
    kind: StrictErrorKind,
    pointer: String,
    place: Place,
}

impl StrictError {
    pub(crate) fn new(kind: StrictErrorKind, pointer: String, place: Place) -> Self {
        Self { kind, pointer, place }
    }

    /// What was wrong.
    pub fn kind(&self) -> StrictErrorKind {
        self.kind
    }

    /// The stable name of what was wrong.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The value being read, as a JSON pointer (RFC 6901). Its keys are the sender's: escape it before printing.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Where in the text.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl std::error::Error for StrictError {}

impl fmt::Display for StrictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const POINTER_MAX: usize = 120;
        write!(f, "{}: {}", self.place, self.kind)?;
        if !self.pointer.is_empty() {
            let shown: String = self.pointer.chars().take(POINTER_MAX).flat_map(char::escape_debug).collect();
            let more = if self.pointer.chars().nth(POINTER_MAX).is_some() { "…" } else { "" };
            write!(f, " at `{shown}{more}`")?;
        }
        Ok(())
    }
}

/// What makes a text something else than closed JSON. [`StrictErrorKind::code`] is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum StrictErrorKind {
    /// The text is longer than allowed.
    #[error("the text is too long")]
    TooLong,
    /// The text opens with U+FEFF.
    #[error("a byte order mark is not allowed")]
    ByteOrderMark,
    /// The bytes are not UTF-8.
    #[error("the bytes are not valid UTF-8")]
    InvalidUtf8,
    /// The text ends inside a value.
    #[error("the text ends too early")]
    UnexpectedEnd,
    /// A character that cannot stand here.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// Something follows the value.
    #[error("something follows the value")]
    TrailingData,
    /// Arrays and objects are nested too deeply.
    #[error("values are nested too deeply")]
    TooDeep,
    /// A key stands twice in one object.
    #[error("the key stands twice")]
    DuplicateKey,
    /// Two keys of one object differ only by case.
    #[error("two keys differ only by case")]
    CaseVariantKey,
    /// A key holds U+0000.
    #[error("the key holds a NUL character")]
    NulInKey,
    /// An escape names half of a surrogate pair.
    #[error("an escape names half of a surrogate pair")]
    LoneSurrogate,
    /// A backslash is followed by something that JSON does not know.
    #[error("unknown escape")]
    InvalidEscape,
    /// A control character stands in a string without being escaped.
    #[error("a control character in a string is not escaped")]
    ControlCharacter,
    /// Not a number as JSON writes it.
    #[error("not a number as JSON writes it")]
    InvalidNumber,
    /// A number that no `i64`, `u64` or finite `f64` comes near, or that would become zero.
    #[error("the number is out of range")]
    NumberOutOfRange,
}

impl StrictErrorKind {
    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::ByteOrderMark => "byte_order_mark",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::UnexpectedEnd => "unexpected_end",
            Self::UnexpectedCharacter => "unexpected_character",
            Self::TrailingData => "trailing_data",
            Self::TooDeep => "too_deep",
            Self::DuplicateKey => "duplicate_key",
            Self::CaseVariantKey => "case_variant_key",
            Self::NulInKey => "nul_in_key",
            Self::LoneSurrogate => "lone_surrogate",
            Self::InvalidEscape => "invalid_escape",
            Self::ControlCharacter => "control_character",
            Self::InvalidNumber => "invalid_number",
            Self::NumberOutOfRange => "number_out_of_range",
        }
    }
}
