//! From a file to a policy, with the parts that it includes.

use std::path::Path;

use mcp_gateway::mcp_policy::Policy;

use crate::scenario::{PolicyFile, Problem, problems};

/// Reads a policy document; parts that it includes stand beside it. On success the problems are warnings.
///
/// # Errors
/// The file cannot be read, or is no policy: everything that is wrong with it.
pub fn read_policy(path: &Path) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let file = PolicyFile::read(path).map_err(|error| vec![Problem::error("unreadable", path, error.to_string())])?;
    let parsed = file.document().parse();
    let problems = problems(&file, parsed.as_ref());
    parsed.map(|policy| (policy, problems.clone())).map_err(|_| problems)
}
