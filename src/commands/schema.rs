//! `rogue schema`, `rogue completions`.

use clap::CommandFactory as _;
use rogue_harness::verdict::ExitClass;
use rogue_harness::{report, scenario};

use crate::args::{Cli, Completions, Schema, SchemaOf};
use crate::output::{Failure, Output};

pub(crate) fn schema(args: &Schema, output: &mut Output) -> Result<ExitClass, Failure> {
    let schema = match args.of {
        SchemaOf::Scenario => scenario::json_schema(),
        SchemaOf::Report => report::json_schema(),
    };
    output.print(&format!("{schema:#}\n"))?;
    Ok(ExitClass::Good)
}

pub(crate) fn completions(args: &Completions, output: &mut Output) -> Result<ExitClass, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rogue", &mut text);
    output.print(&String::from_utf8_lossy(&text))?;
    Ok(ExitClass::Good)
}
