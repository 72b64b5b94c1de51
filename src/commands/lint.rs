//! `rogue lint`.

use std::path::Path;

use rogue_harness::verdict::ExitClass;

use crate::args::Lint;
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn lint(args: &Lint, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let loaded = find::all(&args.paths, folder)?;
    output.problems(&loaded.warnings);
    let scenarios = match loaded.cases.len() {
        1 => "1 scenario is".to_owned(),
        number => format!("{number} scenarios are"),
    };
    output.print(&format!("{scenarios} sound, and their policies too.\n"))?;
    Ok(ExitClass::Good)
}
