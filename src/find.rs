//! Which scenario files are meant.

use std::env;
use std::path::{Path, PathBuf};

use rogue_harness::scenario::{Case, Loaded, Problem, load_all};

use crate::args::Choice;
use crate::output::Failure;

/// Reads what was chosen; warnings go with it.
pub(crate) fn chosen(choice: &Choice, folder: Option<&Path>) -> Result<Loaded, Failure> {
    let mut loaded = all(&choice.paths, folder)?;
    if let Some(filter) = &choice.filter {
        loaded.cases.retain(|case| choice.wants(case));
        if loaded.cases.is_empty() {
            return Err(Failure::usage(format!("no scenario's id or title holds `{filter}`"), "see `rogue list`"));
        }
    }
    Ok(loaded)
}

impl Choice {
    /// Whether the filter, if there is one, lets a scenario through.
    pub(crate) fn wants(&self, case: &Case) -> bool {
        self.filter.as_ref().is_none_or(|filter| {
            let wanted = filter.to_lowercase();
            let holds = |text: &str| text.to_lowercase().contains(&wanted);
            holds(&case.scenario.id) || holds(&case.scenario.title)
        })
    }
}

/// Reads the scenarios of `paths`, or all.
pub(crate) fn all(paths: &[PathBuf], folder: Option<&Path>) -> Result<Loaded, Failure> {
    let paths = if paths.is_empty() { vec![scenarios(folder)?] } else { paths.to_vec() };
    let loaded = load_all(&paths).map_err(Failure::Files)?;
    if loaded.cases.is_empty() {
        let shown: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(Failure::usage(
            format!("there is no scenario in {}", shown.join(", ")),
            "scenarios are `.yaml` files; `rogue schema` describes them",
        ));
    }
    Ok(loaded)
}

/// The folder of the scenarios: the one that was named, or the nearest `scenarios` here or above.
pub(crate) fn scenarios(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return if named.is_dir() {
            Ok(named.to_owned())
        } else {
            Err(Failure::Files(vec![Problem::error("no-file", named, "there is no such folder")]))
        };
    }
    // Relative in the usual case, so that the report names files as a person would type them.
    let here = Path::new("scenarios");
    if here.is_dir() {
        return Ok(here.to_owned());
    }
    let start = env::current_dir().unwrap_or_default();
    let above =
        start.ancestors().map(|folder| folder.join("scenarios")).find(|folder| folder.join("policies").is_dir());
    above.ok_or_else(|| {
        Failure::usage(
            "there is no folder `scenarios` here or above".to_owned(),
            "run this in a checkout, name files, or say `--scenarios DIR`",
        )
    })
}
