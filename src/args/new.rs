//! The words of `rogue new`.

use std::path::PathBuf;

use clap::Args;

pub(super) const HELP: &str = "\
Examples:
  rogue new my-policy
  rogue new my-policy --harness-path ../rogue/harness
  rogue new my-policy --harness-git https://example.com/rogue.git --harness-rev 1a2b3c4

Then, in the folder: `rogue run`, or `cargo test`, in which every scenario is a test.

Exit codes: 0 the files are written; 2 the folder is not empty, or the harness is not where it was said to be.";

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The folder, which is made; one that is there has to be empty
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Where the harness is that the tests are built with [default: the checkout that this command was built in]
    #[arg(long, value_name = "DIR", conflicts_with = "harness_git")]
    pub(crate) harness_path: Option<PathBuf>,

    /// The git repository that holds the harness, for those who have no checkout
    #[arg(long, value_name = "URL", requires = "harness_rev")]
    pub(crate) harness_git: Option<String>,

    /// The commit of it
    #[arg(long, value_name = "REV", requires = "harness_git")]
    pub(crate) harness_rev: Option<String>,
}
