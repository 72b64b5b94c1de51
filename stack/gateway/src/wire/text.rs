//! Text of other people's choosing, made safe to show: printable ASCII, bounded.

use std::fmt::Write;

/// Appends `text` to `out` as the inside of a JSON string: printable ASCII only, at most `max`
/// bytes and a short note of how much is missing.
///
/// Everything outside printable ASCII is escaped, so that line ends of every kind, terminal
/// sequences, bidirectional overrides and look-alike letters are visible in a log and harmless to
/// whatever shows it. Quotes and backslashes are escaped too: the result cannot end its string.
pub(crate) fn push_escaped(out: &mut String, text: &str, max: usize) {
    let end = out.len() + max;
    for (at, character) in text.char_indices() {
        let before = out.len();
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
        if out.len() > end {
            out.truncate(before);
            let _ = write!(out, "...(+{} bytes)", text.len() - at);
            return;
        }
    }
}

/// `text` for a message: printable ASCII, at most 64 bytes and a note of how much is missing.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    push_escaped(&mut out, text, 64);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, max: usize) -> String {
        let mut out = String::new();
        push_escaped(&mut out, text, max);
        out
    }

    #[test]
    fn nothing_but_printable_ascii_comes_out() {
        assert_eq!(escaped("a\"b\\c\n\u{1b}[31m\u{7f}", 99), r#"a\"b\\c\u000a\u001b[31m\u007f"#);
        assert_eq!(escaped("\u{2028}\u{202e}\u{212a}\u{1f980}", 99), r"\u2028\u202e\u212a\ud83e\udd80");
    }

    #[test]
    fn escapes_are_never_cut_in_two() {
        for max in 0..40 {
            let out = escaped("\u{1f980}\"\\\n\u{1f980}end of it", max);
            let read: String = serde_json::from_str(&format!("\"{out}\"")).unwrap();
            assert!(out.len() <= max + "...(+99 bytes)".len(), "{out}");
            assert!(read == "\u{1f980}\"\\\n\u{1f980}end of it" || read.contains("...(+"), "{out}");
        }
    }
}
