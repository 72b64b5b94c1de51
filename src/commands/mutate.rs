//! `rogue mutate`.

use std::fs;
use std::path::Path;

use rogue_harness::mutate::{self, Document, Equivalent, Mutation};
use rogue_harness::scenario::Problem;
use rogue_harness::verdict::ExitClass;

use crate::args::Mutate;
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn mutate(args: &Mutate, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let policy = super::run::policy(&args.policy, output)?;
    let document = Document::of(&policy).map_err(|problem| Failure::Files(vec![problem]))?;
    let (equivalents, source) = match &args.equivalent {
        Some(path) => {
            let unreadable = |error: std::io::Error| vec![Problem::error("unreadable", path, error.to_string())];
            let source = fs::read_to_string(path).map_err(|error| Failure::Files(unreadable(error)))?;
            (mutate::read_equivalents(path, &source).map_err(Failure::Files)?, source)
        }
        None => (Vec::new(), String::new()),
    };
    let loaded = find::chosen(&args.choice, folder)?;
    output.problems(&loaded.warnings);

    let watched = Output::is_watched() && !args.no_progress;
    let total = loaded.cases.len();
    let mut begun = 0;
    let broken = |error: std::io::Error| Failure::Broken(format!("the scenarios cannot be run: {error}"));
    let baseline = mutate::baseline(&loaded.cases, &policy, |id| {
        begun += 1;
        if watched {
            output.progress(&format!("[{begun}/{total}] {id}, with the policy as it is"));
        }
    })
    .map_err(broken)?;
    if baseline.is_empty() {
        return Err(Failure::Broken("no scenario holds under this policy, so none can notice anything".to_owned()));
    }
    let changes = mutate::changes(&document);
    let all = changes.len();
    let found = mutate::hunt(&baseline, &document, &changes, &equivalents, |done| {
        if watched {
            output.progress(&format!("[{done}/{all}] weakenings"));
        }
    })
    .map_err(broken)?;
    if watched {
        output.progress("");
    }

    if args.json {
        output.print(&format!("{:#}\n", mutate::in_json(&found)))?;
    } else {
        output.print(&mutate::in_words(&found))?;
        for (id, why) in &baseline.left_out {
            output.note(&format!("left out: {id}: {why}"));
        }
    }
    let stale = stale(args.equivalent.as_deref(), &source, &equivalents, &found);
    if !stale.is_empty() {
        return Err(Failure::Files(stale));
    }
    Ok(if found.survivors() == 0 { ExitClass::Good } else { ExitClass::Breached })
}

/// A reason that is none any more hides a rule that somebody relies on.
fn stale(path: Option<&Path>, source: &str, equivalents: &[Equivalent], found: &Mutation) -> Vec<Problem> {
    let Some(path) = path else { return Vec::new() };
    let problem = |(at, why): &(usize, String)| {
        let entry = equivalents.get(*at)?;
        let message = format!("the reason for `{}` as `{}` is stale: {why}", entry.pointer.value, entry.kind);
        let problem = Problem::error("stale", path, message).at(source, entry.pointer.line, entry.pointer.column);
        Some(problem.help("take it out"))
    };
    found.stale.iter().filter_map(problem).collect()
}
