//! `rogue list`.

use std::path::Path;

use rogue_harness::report::listing;
use rogue_harness::verdict::ExitClass;

use crate::args::List;
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn list(args: &List, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let loaded = find::chosen(&args.choice, folder)?;
    if args.json {
        output.print(&format!("{:#}\n", listing::json(&loaded.cases)))?;
    } else {
        output.print(&listing::text(&loaded.cases, Output::width()))?;
    }
    Ok(ExitClass::Good)
}
