//! `rogue compare`.

use std::path::Path;

use rogue_harness::report::{Outcomes, compare as side_by_side};
use rogue_harness::verdict::ExitClass;

use crate::args::Compare;
use crate::output::{Failure, Output};

/// Between these lines of a page stands what is compared.
const BEGIN: &str = "<!-- compared -->\n";
const END: &str = "<!-- end of what is compared -->\n";

pub(crate) fn compare(args: &Compare, output: &mut Output) -> Result<ExitClass, Failure> {
    let mut all = Vec::new();
    for path in &args.outcomes {
        let text = std::fs::read_to_string(path).map_err(|error| broken(path, &error.to_string()))?;
        all.push(Outcomes::parse(&text).map_err(|error| broken(path, &error))?);
    }
    let tables = side_by_side(&all);
    let Some(page) = &args.into else {
        output.print(&tables)?;
        return Ok(ExitClass::Good);
    };
    let text = std::fs::read_to_string(page).map_err(|error| broken(page, &error.to_string()))?;
    let parts = text.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) =
        parts.ok_or_else(|| broken(page, &format!("it lacks the lines `{}` and `{}`", BEGIN.trim(), END.trim())))?;
    std::fs::write(page, format!("{head}{BEGIN}{tables}{END}{tail}"))
        .map_err(|error| broken(page, &error.to_string()))?;
    Ok(ExitClass::Good)
}

fn broken(path: &Path, why: &str) -> Failure {
    Failure::usage(format!("`{}`: {why}", path.display()), "name files that `rogue run --outcomes FILE` has written")
}
