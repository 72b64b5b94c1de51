//! From a file to a policy, with the parts that it includes.

use std::fs;
use std::path::Path;

use mcp_gateway::mcp_policy::Policy;

use crate::scenario::{PolicyFile, Problem, problems};

/// Reads a policy document; parts that it includes stand beside it. On success the problems are warnings.
///
/// # Errors
/// The file cannot be read, or is no policy: everything that is wrong with it.
pub fn read_policy(path: &Path) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let text = fs::read_to_string(path).map_err(|error| vec![Problem::error("unreadable", path, error.to_string())])?;
    let file = PolicyFile { path: path.to_owned(), text };
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    // A part's name does not lead out of the folder: the reader has seen to that.
    let part = |name: &str| fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
    let parsed = Policy::parse_with(&file.text, &part);
    let problems = problems(&file, parsed.as_ref());
    parsed.map(|policy| (policy, problems.clone())).map_err(|_| problems)
}
