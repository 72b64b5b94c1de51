//! Whether a tape is whole, and holds nothing that it should not.

use std::io::BufRead;

use super::super::{BadRule, End, Redactor, TapeReader};

/// Something that is wrong with a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line, from 1.
    pub line: u64,
    /// What, and what to do about it.
    pub what: String,
}

/// Reads a tape to its end and looks at every message for what a recorder would have taken out.
///
/// # Errors
/// A rule is no regular expression.
pub fn verify<R: BufRead>(mut tape: TapeReader<R>, rules: &[String]) -> Result<Vec<Finding>, BadRule> {
    let mut findings = Vec::new();
    let mut redactor = Redactor::new(rules)?;
    for (line, message) in (2..).zip(tape.by_ref()) {
        match message {
            Ok(message) => {
                let clean = redactor.body(message.body.clone());
                if clean != message.body {
                    let what = "something of the shape of a secret: `rogue cassette scrub` takes it out".to_owned();
                    findings.push(Finding { line, what });
                }
            }
            Err(error) => findings.push(Finding { line, what: error.to_string() }),
        }
    }
    if let Some(End::Cut { after }) = tape.end() {
        let what = format!("the tape was cut off after message {after}: what follows is lost, the rest can be used");
        findings.push(Finding { line: after + 2, what });
    }
    Ok(findings)
}
