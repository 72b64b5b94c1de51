//! When a tape is played, and when it is recorded.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Beats whatever else says how a tape is used.
pub const MODE_VARIABLE: &str = "ROGUE_RECORD_MODE";

/// Set by most machines that build and test on their own.
const CI_VARIABLE: &str = "CI";

/// How a tape is used. In no mode is one that does not fit any more recorded anew unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Played when it is there, recorded when it is not.
    Once,
    /// Played, and what is not on it is asked live and added.
    NewEpisodes,
    /// Played, and nothing is ever asked live.
    None,
    /// Recorded anew.
    All,
    /// Everything is asked live and compared with the tape, which stays as it is.
    Verify,
}

/// What is done with a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It is played; what is not on it is an error.
    Play,
    /// It is played; what is not on it is asked live and added.
    Extend,
    /// It is recorded.
    Record,
    /// It is compared with what is asked live.
    Verify,
}

/// Why nothing can be done with a tape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// No mode.
    #[error("`{word}` is no mode of recording{}: write `once`, `new_episodes`, `none`, `all` or `verify`", from(*.of_variable))]
    Unknown {
        /// What was given.
        word: String,
        /// Whether the environment gave it.
        of_variable: bool,
    },
    /// There is no tape to play.
    #[error("there is no tape `{}`, and the mode `{mode}` does not record one: record it with the mode `once`", tape.display())]
    NoTape {
        /// The tape.
        tape: PathBuf,
        /// The mode.
        mode: Mode,
    },
}

fn from(of_variable: bool) -> String {
    if of_variable { format!(" (in {MODE_VARIABLE})") } else { String::new() }
}

impl Mode {
    const ALL: [Self; 5] = [Self::Once, Self::NewEpisodes, Self::None, Self::All, Self::Verify];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::NewEpisodes => "new_episodes",
            Self::None => "none",
            Self::All => "all",
            Self::Verify => "verify",
        }
    }

    /// The mode that counts: that of the environment, else the one asked for, else `none` where tests run on their own
    /// and `once` elsewhere. `variable` reads the environment.
    ///
    /// # Errors
    /// The environment has a word that is no mode.
    pub fn chosen(asked: Option<Self>, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ModeError> {
        Self::chosen_or(asked, Self::Once, variable)
    }

    /// The same with another mode where somebody is there and asks for none.
    ///
    /// # Errors
    /// The environment has a word that is no mode.
    pub fn chosen_or(
        asked: Option<Self>,
        attended: Self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ModeError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(word) = set(MODE_VARIABLE) {
            return Self::ALL
                .into_iter()
                .find(|mode| mode.word() == word)
                .ok_or(ModeError::Unknown { word, of_variable: true });
        }
        let unattended = set(CI_VARIABLE).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"));
        Ok(asked.unwrap_or(if unattended { Self::None } else { attended }))
    }

    /// What is done with a tape that is there or not.
    ///
    /// # Errors
    /// It is not there, and must not be recorded.
    pub fn plan(self, tape: &Path, is_there: bool) -> Result<Plan, ModeError> {
        match (self, is_there) {
            (Self::All, _) | (Self::Once | Self::NewEpisodes, false) => Ok(Plan::Record),
            (Self::Once | Self::None, true) => Ok(Plan::Play),
            (Self::NewEpisodes, true) => Ok(Plan::Extend),
            (Self::Verify, true) => Ok(Plan::Verify),
            (Self::None | Self::Verify, false) => Err(ModeError::NoTape { tape: tape.to_owned(), mode: self }),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(word: &str) -> Result<Self, ModeError> {
        let mode = Self::ALL.into_iter().find(|mode| mode.word() == word);
        mode.ok_or_else(|| ModeError::Unknown { word: word.to_owned(), of_variable: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(asked: Option<Mode>, variables: &[(&str, &str)]) -> Result<Mode, ModeError> {
        Mode::chosen(asked, |name| variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_beats_everything() {
        let beaten = Some(Mode::All);
        assert_eq!(chosen(beaten, &[("ROGUE_RECORD_MODE", "none"), ("CI", "true")]), Ok(Mode::None));
        assert_eq!(chosen(beaten, &[("ROGUE_RECORD_MODE", "new_episodes")]), Ok(Mode::NewEpisodes));
        assert_eq!(chosen(beaten, &[("ROGUE_RECORD_MODE", ""), ("CI", "true")]), Ok(Mode::All));
        assert_eq!(chosen(None, &[("CI", "true")]), Ok(Mode::None));
        assert_eq!(chosen(None, &[("CI", "1")]), Ok(Mode::None));
        for off in ["", "0", "false", "False"] {
            assert_eq!(chosen(None, &[("CI", off)]), Ok(Mode::Once));
        }
        assert_eq!(chosen(None, &[]), Ok(Mode::Once));
        let told = chosen(None, &[("ROGUE_RECORD_MODE", "rewrite")]).unwrap_err().to_string();
        let expected = "`rewrite` is no mode of recording (in ROGUE_RECORD_MODE): write `once`, `new_episodes`, `none`, `all` or `verify`";
        assert_eq!(told, expected);
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("ALL".parse::<Mode>().unwrap_err().to_string().starts_with("`ALL` is no mode of recording: write"));
    }

    #[test]
    fn a_tape_is_recorded_only_where_that_was_asked() {
        let plan = |mode: Mode, is_there| mode.plan(Path::new("a.jsonl"), is_there).map_err(|error| error.to_string());
        for (mode, there, absent) in [
            (Mode::Once, Plan::Play, Plan::Record),
            (Mode::NewEpisodes, Plan::Extend, Plan::Record),
            (Mode::All, Plan::Record, Plan::Record),
        ] {
            assert_eq!((plan(mode, true), plan(mode, false)), (Ok(there), Ok(absent)), "{mode}");
        }
        for (mode, there) in [(Mode::None, Plan::Play), (Mode::Verify, Plan::Verify)] {
            let told = format!(
                "there is no tape `a.jsonl`, and the mode `{mode}` does not record one: record it with the mode `once`"
            );
            assert_eq!((plan(mode, true), plan(mode, false)), (Ok(there), Err(told)));
        }
    }
}
