//! JSON with comments, as policies of version "2" may be written.

/// The text with its comments blanked, so that every place stays where it was. An open comment stays as it is: it is no
/// JSON either way.
pub(in crate::scenario) fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => string_length(rest),
            '/' if rest.starts_with("//") => {
                let length = rest.find('\n').unwrap_or(rest.len());
                blank(&mut out, rest.get(..length).unwrap_or_default());
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
            '/' if rest.starts_with("/*") => match rest.get(2..).and_then(|inner| inner.find("*/")) {
                Some(inner) => {
                    let length = inner + 4;
                    blank(&mut out, rest.get(..length).unwrap_or_default());
                    rest = rest.get(length..).unwrap_or_default();
                    continue;
                }
                None => rest.len(),
            },
            other => other.len_utf8(),
        };
        out.push_str(rest.get(..length).unwrap_or_default());
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

fn blank(out: &mut String, comment: &str) {
    out.extend(comment.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

/// How long the string is that begins here, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::blanked;

    #[test]
    fn comments_go_and_strings_stay() {
        for (text, expected) in [
            ("{} // end", "{}       "),
            ("{ /* a\nb */ \"a\": 1 }", "{     \n     \"a\": 1 }"),
            (r#"{ "a": "// \" /* no" }"#, r#"{ "a": "// \" /* no" }"#),
            ("{} /* open", "{} /* open"),
            ("1 / 2", "1 / 2"),
            ("// ü\n{}", "    \n{}"),
        ] {
            assert_eq!(blanked(text), expected, "{text}");
        }
    }
}
