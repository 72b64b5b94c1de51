//! `rogue show`.

use std::path::Path;

use rogue_harness::report::listing;
use rogue_harness::verdict::ExitClass;

use crate::args::Show;
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn show(args: &Show, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let loaded = find::all(&[], folder)?;
    let Some(case) = loaded.cases.iter().find(|case| case.scenario.id.value == args.id) else {
        return Err(Failure::usage(format!("no scenario has the id `{}`", args.id), "see `rogue list`"));
    };
    output.print(&listing::story(case, Output::width()))?;
    Ok(ExitClass::Good)
}
