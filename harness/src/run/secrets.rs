//! What must not be said to an agent, written down or shown.

/// The secrets of one run.
#[derive(Clone)]
pub(crate) struct Secrets {
    named: Vec<(String, &'static str)>,
}

const SIGNATURE: &str = "signature=";
const SIGNATURE_DIGITS: usize = 64;

impl Secrets {
    pub(crate) fn new(named: Vec<(String, &'static str)>) -> Self {
        Self { named }
    }

    /// The text without any secret.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (secret, name) in &self.named {
            if text.contains(secret) {
                text = text.replace(secret, &format!("[{name}]"));
            }
        }
        while let Some(at) = signature_in(&text) {
            text.replace_range(at..at + SIGNATURE_DIGITS, "[redacted]");
        }
        text
    }

    /// The names of the secrets that a text gives away.
    pub(crate) fn leaked_in(&self, text: &str) -> Vec<&'static str> {
        let named = self.named.iter().filter(|(secret, _)| text.contains(secret)).map(|(_, name)| *name);
        let signature = signature_in(text).map(|_| "a signature");
        named.chain(signature).collect()
    }
}

/// Where the digits of a signature begin.
fn signature_in(text: &str) -> Option<usize> {
    text.match_indices(SIGNATURE).map(|(at, _)| at + SIGNATURE.len()).find(|at| {
        text.get(*at..at + SIGNATURE_DIGITS).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_and_taken_out() {
        let secrets = Secrets::new(vec![("hush".to_owned(), "the owner's secret")]);
        let digits = "0aF1".repeat(16);
        let text = format!("a hush b signature={digits}&signature={digits} signature=short");
        assert_eq!(secrets.leaked_in(&text), ["the owner's secret", "a signature"]);
        let clean = "a [the owner's secret] b signature=[redacted]&signature=[redacted] signature=short";
        assert_eq!(secrets.redact(&text), clean);
        assert!(secrets.leaked_in(clean).is_empty());
    }
}
