//! A gateway that others wrote, described in a file: what it is, how it is started, which policies it has in the places of
//! ours, and what it says that it can do.
//!
//! ```yaml
//! name: gate
//! version: 1.2.0
//! from: PyPI
//! about: A proxy that asks before it deletes.
//! leaves_out: Amounts and rates.
//! command: ["{installed}/bin/gate", --policy, "{policy}", --, "{upstream}"]
//! policies: { default: desk.toml, reader: reader.toml }
//! claims: [PF1, PF18]
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::scenario::{Problem, from_yaml, schema_of};

/// The policy that stands in for all that are not named.
const DEFAULT: &str = "default";

/// A description that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFile {
    description: Description,
    folder: PathBuf,
}

/// A gateway under test.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Description {
    /// Its name.
    name: String,
    /// Its version, in quotes.
    version: String,
    /// The registry that it comes from.
    from: String,
    /// What it is, in a sentence.
    about: String,
    /// What it does not say that it does.
    leaves_out: String,
    /// The words of its command. `{upstream}` becomes the server's command, `{policy}` the policy's file, `{audit}` a file for
    /// its decisions, `{folder}` an empty folder, `{installed}` where it is installed.
    command: Vec<String>,
    /// Files beside this one, by the names of the policies in whose places they stand; `default` stands in for all others.
    #[serde(default)]
    policies: BTreeMap<String, String>,
    /// The features of policies that it says it has: PF1 to PF25.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^PF[0-9]{1,2}$")))]
    claims: Vec<String>,
    /// What it is held to.
    #[serde(default)]
    judged_by: JudgedBy,
}

/// The JSON Schema of a description, as it is kept in `scenarios/schema/target.v1.json`.
pub fn json_schema() -> Value {
    schema_of::<Description>("target.v1.json", "Gateway under test, version 1")
}

/// What a target is held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgedBy {
    /// What happened at the exchange and what leaked, whatever the gateway calls it. Of a protected run the upper bounds
    /// count: a gateway may stop more than ours, and what of that is honest work shows in the twin.
    #[default]
    Effects,
    /// The words of our gateway too: which rule denied, how often, and what was written down.
    Words,
}

impl TargetFile {
    /// Reads a description.
    ///
    /// # Errors
    /// The file cannot be read or is no description, or a policy that it names is not beside it.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let source =
            std::fs::read_to_string(path).map_err(|error| Problem::error("unreadable", path, error.to_string()))?;
        let description: Description = from_yaml(path, &source)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let folder =
            std::path::absolute(&folder).map_err(|error| Problem::error("unreadable", path, error.to_string()))?;
        for file in description.policies.values() {
            if !folder.join(file).is_file() {
                return Err(Problem::error("no-policy", path, format!("there is no policy `{file}` beside it"))
                    .help("name files in the description's own folder"));
            }
        }
        let is_feature = |claim: &String| claim.strip_prefix("PF").is_some_and(|number| number.parse::<u8>().is_ok());
        if let Some(claim) = description.claims.iter().find(|claim| !is_feature(claim)) {
            return Err(Problem::error("no-feature", path, format!("`{claim}` is no feature of policies"))
                .help("features are called as in the `stops` of scenarios: PF1 to PF25"));
        }
        Ok(Self { description, folder })
    }

    /// The gateway's name.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.description.version
    }

    /// The registry that it comes from.
    pub fn from(&self) -> &str {
        &self.description.from
    }

    /// What it is, in a sentence.
    pub fn about(&self) -> &str {
        &self.description.about
    }

    /// What it does not say that it does.
    pub fn leaves_out(&self) -> &str {
        &self.description.leaves_out
    }

    /// The features of policies that it says it has.
    pub fn claims(&self) -> &[String] {
        &self.description.claims
    }

    /// What it is held to.
    pub const fn judged_by(&self) -> JudgedBy {
        self.description.judged_by
    }

    /// Its command, with the places that [`GatewayCommand::parse`](super::GatewayCommand::parse) fills, and `{installed}`.
    pub(super) fn words(&self) -> &[String] {
        &self.description.command
    }

    /// The policies in its own language, as files.
    pub fn policies(&self) -> impl Iterator<Item = PathBuf> {
        self.description.policies.values().map(|file| self.folder.join(file))
    }

    /// Its file in the place of one of our policies: the scenario's own when it says nothing of policies, and nothing when
    /// it has none in that place.
    pub(super) fn policy(&self, ours: &Path) -> InPlace {
        let policies = &self.description.policies;
        if policies.is_empty() {
            return InPlace::Ours;
        }
        let name = ours.file_stem().unwrap_or_default().to_string_lossy();
        match policies.get(name.as_ref()).or_else(|| policies.get(DEFAULT)) {
            Some(file) => InPlace::Theirs(self.folder.join(file)),
            None => InPlace::None(name.into_owned()),
        }
    }
}

/// What stands in the place of a policy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InPlace {
    /// The policy itself.
    Ours,
    /// A file in the gateway's own language.
    Theirs(PathBuf),
    /// Nothing; the policy's name.
    None(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TargetFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("target.yaml");
        std::fs::write(folder.path().join("desk.toml"), "").unwrap();
        std::fs::write(&path, text).unwrap();
        TargetFile::read(&path).map_err(|problem| problem.to_string())
    }

    const SOUND: &str = "{ name: gate, version: '1', from: PyPI, about: x, leaves_out: y, command: ['{upstream}']";

    #[test]
    fn a_policy_of_theirs_stands_in_for_ours_by_its_name() {
        let own = read(&format!("{SOUND} }}")).unwrap();
        assert_eq!(own.policy(Path::new("policies/binance.json")), InPlace::Ours);
        assert_eq!(own.judged_by(), JudgedBy::Effects);
        let named = read(&format!("{SOUND}, policies: {{ reader: desk.toml }} }}")).unwrap();
        assert!(
            matches!(named.policy(Path::new("policies/reader.json")), InPlace::Theirs(file) if file.ends_with("desk.toml"))
        );
        assert_eq!(named.policy(Path::new("policies/vault.json")), InPlace::None("vault".to_owned()));
        let all = read(&format!("{SOUND}, policies: {{ default: desk.toml }} }}")).unwrap();
        assert!(matches!(all.policy(Path::new("policies/vault.json")), InPlace::Theirs(_)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (rest, told) in [
            (", policies: { default: gone.toml } }", "gone.toml"),
            (", claims: [everything] }", "everything"),
            (", colour: red }", "colour"),
        ] {
            let problem = read(&format!("{SOUND}{rest}")).unwrap_err();
            assert!(problem.contains(told), "{problem}");
        }
    }
}
