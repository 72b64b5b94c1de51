//! The words of `rogue policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const TEST_HELP: &str = "\
A file of tests:

  policy: desk.json               # beside this file
  tests:
    - name: a second listen key within thirty minutes is one too many
      steps:
        - { call: bn_create_listen_key, expect: allow }
        - { advance: 29m }
        - { call: bn_create_listen_key, expect: deny, rule: /tools/bn_create_listen_key/limits/0 }

A step that says `prices: { BTCUSDT: \"61000\" }` alone is what the tools of `live_references` tell then.
A step may also say `args`, `reason`, `says`, `shadow`, `times`, `grant`, `session`, `halted`, `approved`, `outcome` and `result`.

Exit codes: 0 every test holds; 1 one does not, or with --all-rules a rule is not tested; 65 a file cannot be read.";

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Say what is wrong with policies and what they say in vain: place, reason, remedy
    ///
    /// Exit codes: 0 nothing is wrong; 1 with --strict, something is said in vain; 65 something is wrong.
    Check {
        /// The policies
        #[arg(required = true, value_name = "FILE")]
        policies: Vec<PathBuf>,
        /// Whether what is said in vain counts as wrong
        #[arg(long)]
        strict: bool,
    },
    /// Tell how a policy would judge a call: what it comes to, what each rule says, which one decides; or, with --method, a message
    ///
    /// Nothing is counted before it. Exit codes: 0 it is allowed; 4 it is denied, or a person is asked.
    Explain(Explain),
    /// Search for calls that two policies judge differently
    ///
    /// Calls and sequences of calls are made up from both documents: each number and its neighbours, each word, every tool,
    /// side and type. That nothing is found proves nothing. Exit codes: 0 no difference is found; 1 the second lets something
    /// through that the first does not; 4 it only stops more.
    Diff {
        /// The policy as it was
        before: PathBuf,
        /// The policy as it is to be
        after: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a document of version "1", or one of Intercept, as a policy of version "2"
    ///
    /// What is not understood is an error with its place, and nothing is dropped. Exit codes: 0 it is written; 65 it cannot be.
    Import {
        /// The document, JSON or YAML
        #[arg(value_name = "FILE")]
        document: PathBuf,
        /// The server's answer to `tools/list`, which says what arguments each tool has [default: the 23 tools of this build]
        #[arg(long, value_name = "FILE")]
        tools: Option<PathBuf>,
    },
    /// Suggest a strict policy for the tools that a server lists
    ///
    /// Each tool gets a class from the words of its name and description and from its arguments; the gravest reading
    /// holds, annotations are never believed, and what nobody can tell is denied. The policy is version "2" with comments,
    /// and its numbers are small: fill them in.
    Suggest {
        /// The answer to `tools/list`, its result, or the bare array; `-` is standard input [default: the 23 tools of this build]
        #[arg(value_name = "FILE")]
        tools: Option<PathBuf>,
        /// Print the classes with their reasons as JSON, and no policy
        #[arg(long)]
        json: bool,
    },
    /// Carry out tests of a policy, and tell which of its rules no test makes refuse
    #[command(after_help = TEST_HELP)]
    Test {
        /// The files of tests
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Whether every rule must refuse in some test of its file
        #[arg(long)]
        all_rules: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The policy
    pub(crate) policy: PathBuf,
    /// The tool's name
    #[arg(required_unless_present = "method")]
    pub(crate) tool: Option<String>,
    /// The arguments, as JSON
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(crate) arguments: String,
    /// A method in place of a tool, such as `resources/read`
    #[arg(long, conflicts_with_all = ["tool", "arguments", "approved", "prices"])]
    pub(crate) method: Option<String>,
    /// The prompt or the resource that the message names
    #[arg(long, requires = "method", value_name = "NAME")]
    pub(crate) names: Option<String>,
    /// The kill switch is on
    #[arg(long)]
    pub(crate) halted: bool,
    /// A person has approved the call
    #[arg(long)]
    pub(crate) approved: bool,
    /// What the tools of `live_references` tell, such as `BTCUSDT=61000.50`
    #[arg(long = "price", value_name = "SYMBOL=PRICE", value_parser = price)]
    pub(crate) prices: Vec<(String, String)>,
}

fn price(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(symbol, price)| !symbol.is_empty() && !price.is_empty());
    let pair = pair.ok_or_else(|| "write a symbol and its price, such as `BTCUSDT=61000.50`".to_owned())?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}
