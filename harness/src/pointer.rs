//! JSON pointers (RFC 6901), as they are written.

/// The pointer to the member `name` of what `at` points to.
pub(crate) fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A name as it was before it became part of a pointer.
pub(crate) fn name(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        for told in ["a", "a/b", "a~b", "~1", "~/"] {
            let pointer = below("/x", told);
            let part = pointer.strip_prefix("/x/").unwrap();
            assert!(!part.contains('/'));
            assert_eq!(name(part), told);
        }
        assert_eq!(below("", "a~/b"), "/a~0~1b");
    }
}
