//! `rogue schema`, `rogue completions`.

use clap::CommandFactory as _;
use rogue_harness::verdict::ExitClass;
use rogue_harness::{baseline, mcp_policy, mutate, report, scenario, target};

use crate::args::{Cli, Completions, Schema, SchemaOf};
use crate::output::{Failure, Output};

pub(crate) fn schema(args: &Schema, output: &mut Output) -> Result<ExitClass, Failure> {
    match args.of {
        SchemaOf::Scenario => output.print(&format!("{:#}\n", scenario::json_schema()))?,
        SchemaOf::Report => output.print(&format!("{:#}\n", report::json_schema()))?,
        SchemaOf::Target => output.print(&format!("{:#}\n", target::json_schema()))?,
        SchemaOf::Baseline => output.print(&format!("{:#}\n", baseline::json_schema()))?,
        SchemaOf::Equivalent => output.print(&format!("{:#}\n", mutate::json_schema()))?,
        SchemaOf::Policy => output.print(mcp_policy::SCHEMA_OF_VERSION_2)?,
        SchemaOf::PolicyV1 => output.print(mcp_policy::SCHEMA_OF_VERSION_1)?,
    }
    Ok(ExitClass::Good)
}

pub(crate) fn completions(args: &Completions, output: &mut Output) -> Result<ExitClass, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rogue", &mut text);
    output.print(&String::from_utf8_lossy(&text))?;
    Ok(ExitClass::Good)
}
