//! `rogue cassette to-scenario`.

use std::fs;
use std::path::{Path, PathBuf};

use rogue_harness::distill::{self, DistillError, Session};
use rogue_harness::scenario::{Problem, to_yaml};
use rogue_harness::verdict::ExitClass;

use super::cassette::open;
use crate::args::ToScenario;
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn to_scenario(args: &ToScenario, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let bad = |error: &DistillError| Failure::Files(vec![Problem::error("tape", &args.tape, error.to_string())]);
    let session = Session::read(open(&args.tape)?).map_err(|error| bad(&error))?;
    let name_of = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let found = || {
        let found = distill::policy_of(&session.header, &policies(args, folder)).map_err(|error| bad(&error))?;
        Ok::<_, Failure>(name_of(&found.path))
    };
    let policy = args.policy.clone().map_or_else(found, Ok)?;
    let id = match &args.output {
        Some(path) => name_of(path),
        None => distill::id_of(&args.tape),
    };
    let scenario = distill::scenario(&session, &id, &policy).map_err(|error| bad(&error))?;
    let text = to_yaml(&scenario).map_err(|error| bad(&DistillError::Written(error)))?;
    match &args.output {
        Some(path) => fs::write(path, text)
            .map_err(|error| Failure::Files(vec![Problem::error("unwritable", path, error.to_string())]))?,
        None => output.print(&text)?,
    }
    Ok(ExitClass::Good)
}

/// Where the scenario will look for its policy, and then where those that are shipped stand.
fn policies(args: &ToScenario, folder: Option<&Path>) -> Vec<PathBuf> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut folders = args.output.as_deref().map(|path| distill::policies_near(&whole(path))).unwrap_or_default();
    // Without a folder of scenarios there is none to look in.
    folders.extend(find::scenarios(folder).ok().map(|folder| folder.join("policies")));
    folders
}
