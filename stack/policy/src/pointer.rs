//! JSON pointers (RFC 6901).

/// Appends one reference token to `pointer`, escaped.
pub(crate) fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// The pointer of `token` below `pointer`.
pub(crate) fn child(pointer: &str, token: &str) -> String {
    let mut child = String::with_capacity(pointer.len() + token.len() + 1);
    child.push_str(pointer);
    push(&mut child, token);
    child
}

/// The pointer of the element `index` below `pointer`.
pub(crate) fn element(pointer: &str, index: usize) -> String {
    format!("{pointer}/{index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped_as_rfc_6901_says() {
        assert_eq!(child("/tools", "a/b~c"), "/tools/a~1b~0c");
        assert_eq!(element("/limits", 3), "/limits/3");
    }
}
