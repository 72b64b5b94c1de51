//! `rogue residual`.

use std::fs;
use std::path::Path;

use rogue_harness::residual::{self, Options, ResidualError};
use rogue_harness::scenario::{Problem, to_yaml};
use rogue_harness::verdict::ExitClass;

use crate::args::Residual;
use crate::output::{Failure, Output};

pub(crate) fn residual(args: &Residual, output: &mut Output) -> Result<ExitClass, Failure> {
    let policy = args.policy.as_deref().map(|path| super::run::policy(path, output)).transpose()?;
    let named = args.policy.as_deref();
    if args.save.is_some() && named.is_none() {
        let remedy = "name a policy: a scenario has one";
        return Err(Failure::usage("a day without a policy cannot be saved".to_owned(), remedy));
    }
    let watched = Output::is_watched() && !args.no_progress;
    let options = Options { policy, seed: args.seed, budget: args.budget, goal: args.goal };
    let found = residual::search(&options, |tried, worst| {
        if watched {
            output.progress(&format!("[{tried}/{}] {} USDT, {} orders", args.budget, worst.turnover, worst.orders));
        }
    })
    .map_err(|error| match (error, named) {
        (ResidualError::Policy(why), Some(path)) => Failure::Files(vec![Problem::error("policy", path, why)]),
        (error, _) => Failure::Broken(error.to_string()),
    })?;
    if watched {
        output.progress("");
    }
    if let (Some(file), Some(policy)) = (&args.save, named) {
        let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = to_yaml(&residual::scenario(&found, &stem(file), &stem(policy)))
            .map_err(|error| Failure::Broken(format!("the scenario cannot be written: {error}")))?;
        fs::write(file, text).map_err(|error| {
            let remedy = "name a place that can be written to";
            Failure::usage(format!("`{}` cannot be written: {error}", file.display()), remedy)
        })?;
    }
    if args.json {
        output.print(&format!("{:#}\n", residual::in_json(&found, named)))?;
    } else {
        output.print(&residual::in_words(&found, named))?;
    }
    Ok(ExitClass::Good)
}
