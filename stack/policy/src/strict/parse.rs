//! The parser.
//!
//! One pass over the bytes. An error is made where it is met and collects its path on the way out, so that a good
//! text pays nothing for it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::error::{StrictError, StrictErrorKind as Kind};
use super::fold::{eq_folded, fold};
use super::place::Place;
use crate::pointer;

/// How much a text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Length of the text in bytes. 1 MiB by default.
    pub bytes_max: usize,
    /// How deeply arrays and objects may be nested. 64 by default, and never more than 128: the parser recurses.
    pub depth_max: usize,
    /// Whether `// …` and `/* … */` count as blanks. Never for frames: no other parser would agree.
    pub(crate) comments: bool,
}

impl Limits {
    /// The same with another length.
    #[must_use]
    pub const fn with_bytes_max(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }

    /// The same with another depth.
    #[must_use]
    pub const fn with_depth_max(self, depth_max: usize) -> Self {
        Self { depth_max, ..self }
    }

    /// The same for a document that people write, with comments.
    #[must_use]
    pub const fn with_comments(self) -> Self {
        Self { comments: true, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 1 << 20, depth_max: 64, comments: false }
    }
}

/// What the stack can bear, whatever a caller asks for.
const DEPTH_CEILING: usize = 128;

/// Room made for the members of a text's first objects before they are counted, so that most frames are read without
/// a map that grows. Later ones start small: a text of many tiny objects must not take ten times the memory.
const MEMBERS_EXPECTED: usize = 7;
const ROOMY_OBJECTS: usize = 16;

/// Up to this many keys are compared one by one; more go through a set.
const KEYS_COMPARED_MAX: usize = 12;

/// Reads one value, which must be all of `bytes`.
///
/// ```
/// use mcp_policy::strict::{Limits, canonical, parse};
///
/// let judged = parse(br#" {"name": "bn_ping", "arguments": {}} "#, Limits::default())?;
/// assert_eq!(canonical(&judged), r#"{"name":"bn_ping","arguments":{}}"#);
///
/// let smuggled = parse(br#"{"name": "bn_ping", "Name": "bn_new_order"}"#, Limits::default());
/// assert_eq!(smuggled.unwrap_err().code(), "case_variant_key");
/// # Ok::<(), mcp_policy::strict::StrictError>(())
/// ```
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, StrictError> {
    parse_observed(bytes, limits, &mut ())
}

/// The text of `value` that is forwarded: compact, members in their order. Parsing it gives `value` again.
pub fn canonical(value: &Value) -> String {
    value.to_string()
}

/// Learns where keys and values stand while a text is parsed.
pub(crate) trait Observer {
    fn value_starts(&mut self, _at: usize) {}
    fn value_ends(&mut self, _at: usize) {}
    fn enter_member(&mut self, _key: &str, _at: usize) {}
    fn enter_element(&mut self, _index: usize) {}
    fn leave(&mut self) {}
}

impl Observer for () {}

/// [`parse`], telling `observer` where everything stands.
pub(crate) fn parse_observed(bytes: &[u8], limits: Limits, observer: &mut impl Observer) -> Result<Value, StrictError> {
    let whole = |kind, text: &str, at| StrictError::new(kind, String::new(), Place::of(text, at));
    if bytes.len() > limits.bytes_max {
        return Err(whole(Kind::TooLong, "", 0));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(whole(Kind::ByteOrderMark, "", 0));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
        whole(Kind::InvalidUtf8, valid.unwrap_or_default(), error.valid_up_to())
    })?;
    let depth_left = limits.depth_max.min(DEPTH_CEILING);
    let comments = limits.comments;
    let mut parser = Parser { text, bytes, at: 0, depth_left, roomy_left: ROOMY_OBJECTS, comments, observer };
    parser.document().map_err(|fault| fault.locate(text))
}

struct Parser<'t, 'o, O> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    depth_left: usize,
    roomy_left: usize,
    comments: bool,
    observer: &'o mut O,
}

/// An error on its way out. Boxed, since the way of a good value is the one that matters.
struct Fault(Box<Met>);

struct Met {
    kind: Kind,
    at: usize,
    /// The innermost step first.
    path: Vec<String>,
}

type Parsed<T> = Result<T, Fault>;

impl Fault {
    #[cold]
    fn new(kind: Kind, at: usize) -> Self {
        Self(Box::new(Met { kind, at, path: Vec::new() }))
    }

    #[cold]
    fn below(mut self, step: impl Into<String>) -> Self {
        self.0.path.push(step.into());
        self
    }

    fn locate(self, text: &str) -> StrictError {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            pointer::push(&mut path, step);
        }
        StrictError::new(self.0.kind, path, Place::of(text, self.0.at))
    }
}

impl<'t, O: Observer> Parser<'t, '_, O> {
    fn document(&mut self) -> Parsed<Value> {
        self.skip_blanks();
        let value = self.value()?;
        self.skip_blanks();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(Fault::new(Kind::TrailingData, self.at)),
        }
    }

    fn value(&mut self) -> Parsed<Value> {
        self.observer.value_starts(self.at);
        let value = match self.peek() {
            Some(b'"') => Value::String(self.string()?.into_owned()),
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return Err(self.unexpected()),
        };
        self.observer.value_ends(self.at);
        Ok(value)
    }

    fn nested(&mut self, body: fn(&mut Self) -> Parsed<Value>) -> Parsed<Value> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(Fault::new(Kind::TooDeep, self.at));
        };
        self.depth_left = depth_left;
        self.at += 1;
        self.skip_blanks();
        let value = body(self)?;
        self.depth_left += 1;
        Ok(value)
    }

    fn array(&mut self) -> Parsed<Value> {
        let mut elements = Vec::new();
        if self.eat(b']') {
            return Ok(Value::Array(elements));
        }
        loop {
            self.observer.enter_element(elements.len());
            let element = self.value().map_err(|fault| fault.below(elements.len().to_string()))?;
            self.observer.leave();
            elements.push(element);
            self.skip_blanks();
            if self.eat(b']') {
                return Ok(Value::Array(elements));
            }
            self.expect(b',')?;
            self.skip_blanks();
        }
    }

    fn object(&mut self) -> Parsed<Value> {
        let mut seen = BTreeSet::new();
        if self.eat(b'}') {
            return Ok(Value::Object(Map::new()));
        }
        let mut members = match self.roomy_left.checked_sub(1) {
            Some(left) => {
                self.roomy_left = left;
                Map::with_capacity(MEMBERS_EXPECTED)
            }
            None => Map::new(),
        };
        loop {
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let key = self.string()?;
            // Only an escape can bring a NUL in, and what was escaped is owned.
            if matches!(&key, Cow::Owned(unescaped) if unescaped.contains('\0')) {
                return Err(Fault::new(Kind::NulInKey, key_at).below(key));
            }
            if let Err(kind) = check_key(&key, &members, &mut seen) {
                return Err(Fault::new(kind, key_at).below(key));
            }
            self.skip_blanks();
            self.expect(b':')?;
            self.skip_blanks();
            self.observer.enter_member(&key, key_at);
            match self.value() {
                Ok(value) => members.insert(key.into_owned(), value),
                Err(fault) => return Err(fault.below(key)),
            };
            self.observer.leave();
            self.skip_blanks();
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            self.expect(b',')?;
            self.skip_blanks();
        }
    }

    /// Reads a string; `at` is on its opening quote. Borrowed unless something in it was escaped.
    fn string(&mut self) -> Parsed<Cow<'t, str>> {
        self.at += 1;
        let mut unescaped = String::new();
        let mut start = self.at;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(plain) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) else {
                return Err(Fault::new(Kind::UnexpectedEnd, self.bytes.len()));
            };
            self.at += plain;
            let piece = self.text.get(start..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(piece));
                    }
                    unescaped.push_str(piece);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    unescaped.push_str(piece);
                    unescaped.push(self.escape()?);
                    start = self.at;
                }
                _ => return Err(Fault::new(Kind::ControlCharacter, self.at)),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let backslash_at = self.at;
        self.at += 1;
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(backslash_at),
            Some(_) => return Err(Fault::new(Kind::InvalidEscape, backslash_at)),
            None => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self, backslash_at: usize) -> Parsed<char> {
        let lone = || Fault::new(Kind::LoneSurrogate, backslash_at);
        let first = self.hex4()?;
        let code = match first {
            0xd800..=0xdbff => {
                if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Err(lone());
                }
                self.at += 1;
                let second = self.hex4()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(lone());
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(lone)
    }

    /// Reads four hexadecimal digits; `at` is on the `u` before them.
    fn hex4(&mut self) -> Parsed<u32> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else { return Err(self.unexpected()) };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(Fault::new(Kind::InvalidEscape, self.at));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Parsed<Number> {
        let start = self.at;
        let negative = self.eat(b'-');
        let digits_at = self.at;
        // `None` once the digits no longer fit.
        let mut integer = Some(0_u64);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            integer = integer.and_then(|n| n.checked_mul(10)).and_then(|n| n.checked_add(u64::from(digit - b'0')));
            self.at += 1;
        }
        let leading_zero = self.bytes.get(digits_at) == Some(&b'0') && self.at - digits_at > 1;
        if self.at == digits_at || leading_zero {
            return Err(self.bad_number(start));
        }
        let mut whole = true;
        if self.eat(b'.') {
            whole = false;
            self.digits(start)?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits(start)?;
        }
        let exact = match integer {
            // Minus zero is kept as what it is, which only a float can hold.
            Some(0) if negative => None,
            Some(integer) if negative => 0_i64.checked_sub_unsigned(integer).map(Number::from),
            Some(integer) => Some(Number::from(integer)),
            None => None,
        };
        match exact {
            Some(exact) if whole => Ok(exact),
            _ => self.float(start).ok_or_else(|| Fault::new(Kind::NumberOutOfRange, start)),
        }
    }

    /// The literal from `start` as a float, unless it overflows or would silently become zero.
    fn float(&self, start: usize) -> Option<Number> {
        let literal = self.text.get(start..self.at)?;
        let mantissa = literal.split(['e', 'E']).next()?;
        let float: f64 = literal.parse().ok()?;
        if float == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
            return None;
        }
        Number::from_f64(float)
    }

    fn digits(&mut self, number_at: usize) -> Parsed<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.bad_number(number_at));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    fn bad_number(&self, number_at: usize) -> Fault {
        match self.peek() {
            None => self.unexpected(),
            Some(_) => Fault::new(Kind::InvalidNumber, number_at),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Parsed<Value> {
        for letter in word.bytes() {
            self.expect(letter)?;
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_blanks(&mut self) {
        loop {
            while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
                self.at += 1;
            }
            if !self.comments || !self.skip_comment() {
                return;
            }
        }
    }

    /// Skips one comment, and returns whether there was one. One that never ends is none, so that its first character
    /// is what was not expected.
    fn skip_comment(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = if rest.starts_with("//") {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if let Some(body) = rest.strip_prefix("/*") {
            body.find("*/").map(|end| end + 4)
        } else {
            None
        };
        self.at += length.unwrap_or(0);
        length.is_some()
    }

    #[cold]
    fn unexpected(&self) -> Fault {
        let kind = if self.at < self.bytes.len() { Kind::UnexpectedCharacter } else { Kind::UnexpectedEnd };
        Fault::new(kind, self.at)
    }
}

/// Whether `key` may stand beside `members`. `seen` takes over once there are too many keys to compare one by one.
fn check_key(key: &str, members: &Map<String, Value>, seen: &mut BTreeSet<String>) -> Result<(), Kind> {
    let clash = if members.len() < KEYS_COMPARED_MAX {
        members.keys().any(|other| eq_folded(other, key))
    } else {
        if seen.is_empty() {
            seen.extend(members.keys().map(|other| fold(other)));
        }
        !seen.insert(fold(key))
    };
    match clash {
        false => Ok(()),
        true if members.contains_key(key) => Err(Kind::DuplicateKey),
        true => Err(Kind::CaseVariantKey),
    }
}
