//! Faults that stand beside a tape, and never in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A file of faults. The same file, tape and requests give the same faults. Clones count together: they stand on several
/// wires of one tape.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// For faults with a probability.
    #[serde(default)]
    seed: u64,
    faults: Vec<Fault>,
    /// How many requests each fault has looked at, and how many it met.
    #[serde(skip)]
    counts: Arc<Mutex<BTreeMap<usize, (u64, u64)>>>,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// What it is called in reports.
    name: String,
    /// The requests that it may meet, such as `tools/call bn_ping` or `POST /api/v3/order`; `*` at the end stands for
    /// anything.
    on: String,
    /// It meets the one of this number, counted from 1, and no other.
    nth: Option<u64>,
    /// It meets none of so many first ones.
    after: Option<u64>,
    /// Of a hundred requests that it may meet it meets about so many.
    percent: Option<u64>,
    what: Act,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Act {
    /// The answer comes so many milliseconds later, whatever the pace.
    DelayMs(u64),
    /// There is no answer.
    Timeout,
    /// The answer is an error.
    Error {
        /// Of JSON-RPC, or of the exchange.
        code: i64,
        message: String,
        /// Of HTTP; 400 when it is left out.
        status: Option<u16>,
        /// The header of this name, in seconds.
        retry_after: Option<u64>,
    },
    /// The answer is cut off in its middle.
    Malformed,
    /// The connection breaks.
    Disconnect,
    /// The answer comes twice.
    Duplicate,
}

/// Why a file of faults is none.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// It is not of the form.
    #[error("the file of faults cannot be read: {0}")]
    Form(serde_json::Error),
    /// A fault could never come about.
    #[error("the fault `{name}` {why}")]
    Never {
        /// Its name.
        name: String,
        /// Why not, and what to write.
        why: &'static str,
    },
}

impl Overlay {
    /// Reads a file of faults.
    ///
    /// # Errors
    /// It is none, or a fault in it could never come about.
    pub fn parse(text: &str) -> Result<Self, OverlayError> {
        let overlay: Self = serde_json::from_str(text).map_err(OverlayError::Form)?;
        for fault in &overlay.faults {
            let never = |why| Err(OverlayError::Never { name: fault.name.clone(), why });
            if fault.nth == Some(0) {
                return never("has `nth` 0: the first request has the number 1");
            }
            if fault.nth.is_some() && fault.after.is_some() {
                return never("has both `nth` and `after`: write one of them");
            }
            if fault.percent.is_some_and(|percent| percent == 0 || percent > 100) {
                return never("has a `percent` that is not between 1 and 100");
            }
            if matches!(fault.what, Act::Error { status: Some(status), .. } if !(200..=599).contains(&status)) {
                return never("has a `status` that is not between 200 and 599");
            }
        }
        Ok(overlay)
    }

    /// What happens to the answer of a request, if anything: the first fault that meets it.
    pub(super) fn meet(&self, label: &str) -> Option<Act> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut met = None;
        for (place, fault) in self.faults.iter().enumerate() {
            let fits = fault.on.strip_suffix('*').map_or(fault.on == label, |begin| label.starts_with(begin));
            if !fits {
                continue;
            }
            let (seen, hits) = counts.entry(place).or_default();
            *seen += 1;
            let number = *seen;
            let due = fault.nth.is_none_or(|nth| nth == number)
                && fault.after.is_none_or(|after| number > after)
                && fault.percent.is_none_or(|percent| draw(self.seed, place, number) < percent);
            // Every fault counts every request that it may meet, whether or not another one met it.
            if due && met.is_none() {
                *hits += 1;
                met = Some(fault.what.clone());
            }
        }
        met
    }

    /// The faults that met nothing.
    pub(super) fn unmet(&self) -> Vec<String> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let hits = |place: usize| counts.get(&place).map_or(0, |(_, hits)| *hits);
        let unmet = self.faults.iter().enumerate().filter(|(place, _)| hits(*place) == 0);
        unmet.map(|(_, fault)| fault.name.clone()).collect()
    }
}

/// A number below 100 that looks like chance, and is the same each time.
fn draw(seed: u64, place: usize, number: u64) -> u64 {
    let place = u64::try_from(place).unwrap_or(u64::MAX);
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(place.to_le_bytes());
    let digest = digest.chain_update(number.to_le_bytes()).finalize();
    digest.iter().take(4).fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte)) % 100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(faults: &str) -> Overlay {
        Overlay::parse(&format!(r#"{{"seed": 7, "faults": [{faults}]}}"#)).unwrap()
    }

    fn met(overlay: &Overlay, labels: &[&str]) -> Vec<Option<Act>> {
        labels.iter().map(|label| overlay.meet(label)).collect()
    }

    #[test]
    fn faults_meet_what_they_say() {
        let nth = overlay(r#"{"name": "n", "on": "a*", "nth": 2, "what": "timeout"}"#);
        assert_eq!(met(&nth, &["b", "a1", "a2", "a3"]), [None, None, Some(Act::Timeout), None]);
        let after = overlay(
            r#"{"name": "n", "on": "a", "after": 1, "what": {"delay_ms": 5}}, {"name": "m", "on": "a", "what": "duplicate"}"#,
        );
        assert_eq!(met(&after, &["a", "ab", "a"]), [Some(Act::Duplicate), None, Some(Act::DelayMs(5))]);
        assert_eq!(after.unmet(), [""; 0]);
        assert_eq!(overlay(r#"{"name": "n", "on": "a", "what": "malformed"}"#).unmet(), ["n"]);
    }

    #[test]
    fn chance_is_the_same_each_time_and_about_what_it_says() {
        let faults = r#"{"name": "n", "on": "*", "percent": 25, "what": "disconnect"}"#;
        let labels = ["x"; 1_000];
        let first = met(&overlay(faults), &labels);
        assert_eq!(met(&overlay(faults), &labels), first);
        let hits = first.iter().flatten().count();
        assert!((200..300).contains(&hits), "{hits}");
        let other = Overlay { seed: 8, ..overlay(faults) };
        assert_ne!(met(&other, &labels), first);
    }

    #[test]
    fn what_can_never_be_is_refused() {
        for (fault, told) in [
            (
                r#"{"name":"n","on":"a","nth":0,"what":"timeout"}"#,
                "the fault `n` has `nth` 0: the first request has the number 1",
            ),
            (
                r#"{"name":"n","on":"a","nth":1,"after":1,"what":"timeout"}"#,
                "the fault `n` has both `nth` and `after`: write one of them",
            ),
            (
                r#"{"name":"n","on":"a","percent":101,"what":"timeout"}"#,
                "the fault `n` has a `percent` that is not between 1 and 100",
            ),
            (
                r#"{"name":"n","on":"a","what":{"error":{"code":1,"message":"m","status":42}}}"#,
                "the fault `n` has a `status` that is not between 200 and 599",
            ),
        ] {
            assert_eq!(Overlay::parse(&format!(r#"{{"faults":[{fault}]}}"#)).unwrap_err().to_string(), told);
        }
        let told = Overlay::parse(r#"{"faults":[{"name":"n","on":"a","what":"explode"}]}"#).unwrap_err().to_string();
        assert!(
            told.starts_with("the file of faults cannot be read: unknown variant `explode`, expected one of"),
            "{told}"
        );
    }
}
