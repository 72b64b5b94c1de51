//! `rogue cassette shrink`.

use std::path::Path;

use rogue_harness::cassette::Header;
use rogue_harness::replay::agent::{self, Keeps};
use rogue_harness::verdict::ExitClass;

use super::cassette::{bad, create, open, writer};
use super::replay::{rerun_failed, rules, runtime, stand};
use crate::args::{Keep, Shrink};
use crate::output::{Failure, Output};

pub(crate) fn shrink(args: &Shrink, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let rules = rules(&args.ignored)?;
    let tape = open(&args.tape)?;
    let stand = stand(&args.tape, tape.header(), args.policy.as_deref(), folder, output)?;
    let keeps = match args.keeps {
        Keep::Breach => Keeps::Breach,
        Keep::Difference => Keeps::Difference,
    };
    let tell = |left: usize| {
        if Output::is_watched() {
            output.progress(&format!("{left} messages of the agent are left"));
        }
    };
    let shrunk = runtime()?.block_on(agent::shrink(tape, &stand, &rules, keeps, tell));
    let shrunk = shrunk.map_err(|error| rerun_failed(&args.tape, &error))?;
    let (before, after, tried) = (shrunk.before, shrunk.after, shrunk.tried);
    let header = Header { writer: writer(), ..shrunk.header().clone() };
    let out = create(&args.output, &header, &[])?;
    shrunk.write(out).map_err(|error| bad(&args.output, &error))?;
    output.print(&format!("{after} of {before} messages of the agent are left, after {tried} tries\n"))?;
    Ok(ExitClass::Good)
}
