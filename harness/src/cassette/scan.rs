//! Finds fields and words in text that is no JSON of its own: query strings, headers, escaped JSON, prose. Linear in
//! the text, since every message of a session passes here.

/// The text with the values of those fields replaced for which `of` gives something. A field is a name and a value in
/// one of the forms `name=value`, `name: value`, `"name":"value"` (whose quotes may be escaped, as JSON in JSON has
/// them) and `Bearer value`.
pub(super) fn fields(text: &str, mut of: impl FnMut(&str, &str) -> Option<String>) -> String {
    let bytes = text.as_bytes();
    let (mut clean, mut written, mut at) = (String::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        if !byte.is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let name_end = at + run(bytes, at, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let Some(name) = text.get(at..name_end) else { break };
        if let Some((from, to)) = value_of(bytes, name, name_end)
            && let Some(value) = text.get(from..to)
            && let Some(instead) = of(name, value)
        {
            clean.push_str(text.get(written..from).unwrap_or_default());
            clean.push_str(&instead);
            (written, at) = (to, to);
        } else {
            at = name_end;
        }
    }
    clean.push_str(text.get(written..).unwrap_or_default());
    clean
}

/// The text with those words replaced for which `of` gives something: letters and digits, at least so many.
pub(super) fn words(text: &str, least: usize, mut of: impl FnMut(&str) -> Option<String>) -> String {
    let bytes = text.as_bytes();
    let (mut clean, mut written, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        let length = run(bytes, at, |b| b.is_ascii_alphanumeric());
        let end = at + length.max(1);
        if length >= least
            && let Some(instead) = text.get(at..end).and_then(&mut of)
        {
            clean.push_str(text.get(written..at).unwrap_or_default());
            clean.push_str(&instead);
            written = end;
        }
        at = end;
    }
    clean.push_str(text.get(written..).unwrap_or_default());
    clean
}

/// How many bytes from here on are such ones.
fn run(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().skip(at).take_while(|byte| is(**byte)).count()
}

/// Where the value of a field stands whose name ends here.
fn value_of(bytes: &[u8], name: &str, name_end: usize) -> Option<(usize, usize)> {
    let blank = |at: usize| at + run(bytes, at, |b| matches!(b, b' ' | b'\t'));
    let quote = |at: usize| {
        let quote = at + run(bytes, at, |b| b == b'\\');
        (bytes.get(quote) == Some(&b'"')).then_some(quote + 1)
    };
    let upto = |from: usize, ends: fn(u8) -> bool| {
        let to = from + run(bytes, from, |b| !ends(b));
        (to > from).then_some((from, to))
    };
    let loose =
        |b: u8| b.is_ascii_whitespace() || matches!(b, b'&' | b'"' | b'\'' | b'\\' | b',' | b';' | b'}' | b'[' | b']');
    let in_quotes = |b: u8| matches!(b, b'"' | b'\\');
    // Its value has blanks in it.
    let is_header = name.len() >= 13 && name.to_ascii_lowercase().ends_with("authorization");

    let colon = blank(quote(name_end).unwrap_or(name_end));
    if bytes.get(colon) == Some(&b':') {
        let value = blank(colon + 1);
        return match quote(value) {
            Some(value) => upto(value, in_quotes),
            None if is_header => upto(value, |b| matches!(b, b'"' | b'\\' | b'\r' | b'\n' | b'[')),
            None => upto(value, loose),
        };
    }
    match bytes.get(name_end)? {
        b'=' => upto(name_end + 1, loose),
        b' ' | b'\t' if name.eq_ignore_ascii_case("bearer") => upto(blank(name_end), loose),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_form_are_found() {
        let found = |text: &str| {
            let mut found = Vec::new();
            let clean = fields(text, |name, value| {
                found.push(format!("{name}>{value}"));
                name.starts_with('k').then(|| "#".to_owned())
            });
            (found.join(" "), clean)
        };
        for (text, expected, clean) in [
            ("a=1&k=2", "a>1 k>2", "a=1&k=#"),
            (r#"{"k":"x","n":1}"#, "k>x n>1", r##"{"k":"#","n":1}"##),
            (r#"{\"k\" : \"x\"}"#, "k>x", r##"{\"k\" : \"#\"}"##),
            ("k: v\nBearer t", "k>v Bearer>t", "k: #\nBearer t"),
            ("Authorization: Basic a b\r\nx", "Authorization>Basic a b", "Authorization: Basic a b\r\nx"),
            ("said=k=2", "said>k=2 k>2", "said=k=#"),
            ("ä k=ö€ k", "k>ö€", "ä k=# k"),
            ("k= k: k", "k>k", "k= k: #"),
        ] {
            assert_eq!(found(text), (expected.to_owned(), clean.to_owned()), "{text}");
        }
    }

    #[test]
    fn words_are_letters_and_digits() {
        let clean = words("abcd abc-defgh ä1234ö", 4, |word| word.starts_with(['a', '1']).then(|| "#".to_owned()));
        assert_eq!(clean, "# abc-defgh ä#ö");
    }
}
