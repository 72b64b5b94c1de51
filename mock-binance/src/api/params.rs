//! Parameters: from the query, from a form body, or from both (the query wins), and the checks on their form.
//!
//! The checks come in the order in which the exchange makes them: characters (`-1100`), duplicates and number
//! (`-1101`), missing (`-1102`), empty (`-1105`), unknown (`-1104`). What a value *means* is checked later, after
//! key, timestamp and signature.

use std::borrow::Cow;

use super::error::ApiError;

/// One parameter that an endpoint knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    kind: Kind,
    mandatory: bool,
}

/// Which characters a value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Upper-case letters, digits, `-`, `_`, `.`, and letters of other scripts.
    Symbol,
    /// A JSON array of symbols without blanks.
    Symbols,
    /// Digits, with at most one point between them.
    Decimal,
    /// Digits.
    Digits,
    /// A client order id.
    ClientId,
    /// A word whose meaning is checked later.
    Word,
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, mandatory: false }
    }

    pub(crate) const fn symbol() -> Self {
        Self::new("symbol", Kind::Symbol)
    }

    pub(crate) const fn symbols() -> Self {
        Self::new("symbols", Kind::Symbols)
    }

    pub(crate) const fn decimal(name: &'static str) -> Self {
        Self::new(name, Kind::Decimal)
    }

    pub(crate) const fn digits(name: &'static str) -> Self {
        Self::new(name, Kind::Digits)
    }

    pub(crate) const fn client_id(name: &'static str) -> Self {
        Self::new(name, Kind::ClientId)
    }

    pub(crate) const fn word(name: &'static str) -> Self {
        Self::new(name, Kind::Word)
    }

    pub(crate) const fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }
}

/// What every signed endpoint takes besides its own parameters.
static SIGNED: [Field; 3] =
    [Field::decimal("recvWindow"), Field::digits("timestamp").mandatory(), Field::word("signature").mandatory()];

/// What a request must bring besides the parameters of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    /// The time: a session stands for the signature.
    Timed,
    Signed,
}

impl Asked {
    fn fields(self) -> &'static [Field] {
        match self {
            Self::Nothing => &[],
            Self::Timed => SIGNED.split_at(2).0,
            Self::Signed => &SIGNED,
        }
    }
}

/// The parameters of one request, decoded.
#[derive(Debug, Default)]
pub(crate) struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    duplicate: bool,
    undecodable: bool,
}

impl<'a> Params<'a> {
    pub(crate) fn read(query: &'a [u8], body: &'a [u8]) -> Self {
        let mut params = Self { pairs: Vec::with_capacity(12), ..Self::default() };
        params.add(query, 0);
        let from_query = params.pairs.len();
        params.add(body, from_query);
        params
    }

    /// Parameters that have names and values already, each name once; `duplicate` tells whether one was sent twice.
    pub(crate) fn of(pairs: &'a [(String, String)], duplicate: bool) -> Self {
        let pairs = pairs.iter().map(|(name, value)| (Cow::from(name), Cow::from(value))).collect();
        Self { pairs, duplicate, ..Self::default() }
    }

    /// Reads one form. A name that the query has already given is skipped; a name given twice by one form is a
    /// duplicate.
    fn add(&mut self, raw: &'a [u8], from_query: usize) {
        for pair in raw.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                self.undecodable = true;
                continue;
            };
            match self.pairs.iter().position(|(known, _)| *known == name) {
                Some(at) if at < from_query => {}
                Some(_) => self.duplicate = true,
                None => self.pairs.push((name, value)),
            }
        }
    }

    /// Checks form and number against what the endpoint knows.
    pub(crate) fn check(&self, fields: &[Field], signed: bool) -> Result<(), ApiError> {
        self.check_for(fields, if signed { Asked::Signed } else { Asked::Nothing })
    }

    /// As [`check`](Self::check), where a session may stand for the signature.
    pub(crate) fn check_for(&self, fields: &[Field], asked: Asked) -> Result<(), ApiError> {
        let signed = asked.fields();
        let known = || fields.iter().chain(signed);
        let mut read = 0;
        for field in known() {
            if let Some(value) = self.get(field.name) {
                read += 1;
                if !value.is_empty() {
                    field.check_characters(value)?;
                }
            }
        }
        if self.undecodable {
            return Err(ApiError::Undecodable);
        }
        if self.duplicate {
            return Err(ApiError::Duplicate);
        }
        let (expected, sent) = (fields.len() + signed.len(), self.pairs.len());
        if sent > expected {
            return Err(ApiError::TooManyParameters { expected, received: sent });
        }
        for field in known().filter(|field| field.mandatory) {
            if self.get(field.name).is_none() {
                return Err(ApiError::Missing(field.name));
            }
        }
        for field in known() {
            if self.get(field.name) == Some("") {
                return Err(ApiError::Empty(field.name));
            }
        }
        if read < sent {
            return Err(ApiError::Unread { read, sent });
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn require(&self, name: &'static str) -> Result<&str, ApiError> {
        self.get(name).ok_or(ApiError::Missing(name))
    }

    /// A whole number.
    pub(crate) fn digits(&self, name: &'static str) -> Result<Option<u64>, ApiError> {
        self.get(name).map(|value| value.parse().map_err(|_| ApiError::Overflow(name))).transpose()
    }

    /// A flag.
    pub(crate) fn flag(&self, name: &'static str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "TRUE") => Ok(Some(true)),
            Some("false" | "FALSE") => Ok(Some(false)),
            Some(_) => Err(ApiError::Invalid(name)),
        }
    }

    /// Name and value in the order in which they were sent.
    /// What tells one request from another for something else: all parameters but those that date and sign it.
    pub(crate) fn what_for(&self) -> String {
        let dates = ["timestamp", "recvWindow", "signature"];
        let kept = self.iter().filter(|(name, _)| !dates.contains(name));
        kept.flat_map(|(name, value)| [name, "=", value, "&"]).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl Field {
    fn check_characters(&self, value: &str) -> Result<(), ApiError> {
        let (fits, range) = match self.kind {
            Kind::Symbol => (is_symbol(value), r"^[\w\-._&&[^a-z]]{1,50}$"),
            Kind::Symbols => {
                (symbol_list(value).is_some(), r#"^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$"#)
            }
            Kind::Decimal => (is_decimal(value), r"^([0-9]{1,20})(\.[0-9]{1,20})?$"),
            Kind::Digits => (is_digits(value), "^[0-9]{1,20}$"),
            Kind::ClientId => (is_client_id(value), "^[a-zA-Z0-9-_]{1,36}$"),
            Kind::Word => return Ok(()),
        };
        if fits { Ok(()) } else { Err(ApiError::IllegalCharacters { name: self.name, range }) }
    }
}

fn is_symbol(value: &str) -> bool {
    value.chars().count() <= 50
        && value.chars().all(|c| (c.is_alphanumeric() && !c.is_ascii_lowercase()) || matches!(c, '-' | '_' | '.'))
}

fn is_digits(value: &str) -> bool {
    (1..=20).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(value: &str) -> bool {
    match value.split_once('.') {
        None => is_digits(value),
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
    }
}

fn is_client_id(value: &str) -> bool {
    value.len() <= 36 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The symbols of `["BTCUSDT","ETHUSDT"]`, when it is written exactly so.
pub(crate) fn symbol_list(value: &str) -> Option<Vec<&str>> {
    let inner = value.strip_prefix('[')?.strip_suffix(']')?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner
        .split(',')
        .map(|item| {
            let name = item.strip_prefix('"')?.strip_suffix('"')?;
            let fits = (1..=20).contains(&name.len())
                && name.bytes().all(|byte| {
                    byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
                });
            fits.then_some(name)
        })
        .collect()
}

/// Undoes form encoding: `+` and `%XX`. Borrows when there is nothing to undo.
fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(plain).ok().map(Cow::Owned)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &[Field] = &[
        Field::symbol().mandatory(),
        Field::decimal("quantity"),
        Field::client_id("newClientOrderId"),
        Field::digits("orderId"),
    ];

    fn check(query: &str, body: &str, expected: Result<(), &str>) {
        let params = Params::read(query.as_bytes(), body.as_bytes());
        let actual = params.check(ORDER, false).map_err(|error| error.to_string());
        assert_eq!(actual, expected.map_err(str::to_owned), "{query} | {body}");
    }

    #[test]
    fn the_query_wins_and_a_form_may_not_repeat_itself() {
        let params = Params::read(b"symbol=A&quantity=1", b"quantity=2&orderId=7");
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("symbol", "A"), ("quantity", "1"), ("orderId", "7")]);
        check("symbol=A&quantity=1", "quantity=2", Ok(()));
        let duplicate = Err("Duplicate values for a parameter detected.");
        check("symbol=A&symbol=A", "", duplicate);
        check("symbol=A", "orderId=1&orderId=2", duplicate);
    }

    #[test]
    fn each_fault_has_its_text() {
        check("symbol=A", "", Ok(()));
        check("symbol=%EF%BC%91", "", Ok(()));
        check(
            "symbol=a",
            "",
            Err(r"Illegal characters found in parameter 'symbol'; legal range is '^[\w\-._&&[^a-z]]{1,50}$'."),
        );
        check(
            "symbol=A&quantity=1e-05",
            "",
            Err(r"Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\.[0-9]{1,20})?$'."),
        );
        check(
            "symbol=A&orderId=-1",
            "",
            Err("Illegal characters found in parameter 'orderId'; legal range is '^[0-9]{1,20}$'."),
        );
        check(
            "symbol=A&newClientOrderId=a+b",
            "",
            Err("Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'."),
        );
        check("symbol=%zz", "", Err("Illegal characters found in a parameter."));
        check("symbol=A&a=1&b=2&c=3&d=4", "", Err("Too many parameters; expected '4' and received '5'."));
        check("quantity=1", "", Err("Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."));
        check("symbol=", "", Err("Parameter 'symbol' was empty."));
        check("symbol=A&quantity=", "", Err("Parameter 'quantity' was empty."));
        check(
            "symbol=A&nonsense=1",
            "",
            Err("Not all sent parameters were read; read '1' parameter(s) but was sent '2'."),
        );
    }

    #[test]
    fn faults_are_reported_in_the_exchange_s_order() {
        // Characters before duplicates before number before missing before empty before unknown.
        let rows = [
            ("quantity=x&orderId=1&orderId=1&a=1&b=1&c=1", "Illegal"),
            ("orderId=1&orderId=1&a=1&b=1&c=1&d=1", "Duplicate"),
            ("quantity=&a=1&b=1&c=1&d=1", "Too many"),
            ("quantity=&a=1", "Mandatory"),
            ("symbol=A&quantity=&a=1", "Parameter 'quantity' was empty"),
            ("symbol=A&a=1", "Not all"),
        ];
        for (query, start) in rows {
            let error = Params::read(query.as_bytes(), b"").check(ORDER, false).expect_err("a fault");
            assert!(error.to_string().starts_with(start), "{query}: {error}");
        }
    }

    #[test]
    fn signed_endpoints_count_their_own_three() {
        let error = Params::read(b"symbol=A&signature=1", b"").check(ORDER, true).expect_err("no timestamp");
        assert_eq!(error, ApiError::Missing("timestamp"));
        let query = b"symbol=A&timestamp=1&recvWindow=5000&signature=1&x=1";
        let error = Params::read(query, b"").check(ORDER, true).expect_err("unknown x");
        assert_eq!(error, ApiError::Unread { read: 4, sent: 5 });
    }

    #[test]
    fn symbol_lists_are_strict() {
        assert_eq!(symbol_list(r#"["A","B"]"#), Some(vec!["A", "B"]));
        assert_eq!(symbol_list("[]"), Some(vec![]));
        for bad in [r#"["A", "B"]"#, r#"["a"]"#, "A", r#"["A",]"#, "[A]"] {
            assert_eq!(symbol_list(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_encoded_text_comes_back(raw: Vec<u8>, text: String) {
            let params = Params::read(&raw, &raw);
            let _ = params.check(ORDER, true);
            let encoded: String = text.bytes().flat_map(|byte| ['%'].into_iter().chain(hex::encode([byte]).chars().collect::<Vec<_>>())).collect();
            let decoded = decode(encoded.as_bytes());
            proptest::prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
        }
    }

    #[test]
    fn decoding_is_form_decoding() {
        assert_eq!(decode(b"a%20b+c").as_deref(), Some("a b c"));
        assert_eq!(decode(b"%ff"), None);
        assert_eq!(decode(b"%e"), None);
    }
}
