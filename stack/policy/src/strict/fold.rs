//! Keys that a lenient parser could take for one another.

/// Whether `a` and `b` are equal once case is folded away.
///
/// Each character is upper-cased and then lower-cased, which folds at least what simple Unicode case folding folds
/// (`ſ` to `s`, the Kelvin sign to `k`, `ς` to `σ`), and some more, such as `ß` to `ss`: a stranger equality only
/// refuses more.
pub(crate) fn eq_folded(a: &str, b: &str) -> bool {
    if let (Some(first), Some(second)) = (a.as_bytes().first(), b.as_bytes().first())
        && first.is_ascii()
        && second.is_ascii()
        && !first.eq_ignore_ascii_case(second)
    {
        // The usual case: two keys that differ in their first letter.
        return false;
    }
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { folded(a).eq(folded(b)) }
}

/// `key` with its case folded away, for sets of keys.
pub(crate) fn fold(key: &str) -> String {
    // The same for the letters of ASCII, and many times as fast.
    if key.is_ascii() { key.to_ascii_lowercase() } else { folded(key).collect() }
}

fn folded(key: &str) -> impl Iterator<Item = char> + '_ {
    key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, equal: bool) {
        assert_eq!(eq_folded(a, b), equal, "`{a}` and `{b}`");
        assert_eq!(eq_folded(b, a), equal, "`{b}` and `{a}`");
        assert_eq!(fold(a) == fold(b), equal, "folded `{a}` and `{b}`");
    }

    #[test]
    fn case_is_folded_over_all_of_unicode() {
        check("name", "name", true);
        check("name", "NaMe", true);
        check("params", "param\u{17f}", true);
        check("key", "\u{212a}ey", true);
        check("ß", "SS", true);
        check("σ", "ς", true);
        check("name", "names", false);
        check("name", "nama", false);
        check("", "a", false);
        check("", "", true);
        check("a", "а", false); // Latin and Cyrillic: no parser takes one for the other.
    }
}
