//! What the gateway itself says about a policy document.

use super::Problem;
use super::policy_file::PolicyFile;

/// The errors and warnings of our gateway, which knows the language. A build without it knows nothing and finds
/// nothing.
#[cfg(feature = "embedded")]
pub fn check_policy(policy: &PolicyFile) -> Vec<Problem> {
    problems(policy, policy.document().parse().as_ref())
}

/// What the gateway has to say about a document that it has read.
#[cfg(feature = "embedded")]
pub(crate) fn problems(
    policy: &PolicyFile,
    parsed: Result<&mcp_gateway::mcp_policy::Policy, &mcp_gateway::mcp_policy::PolicyErrors>,
) -> Vec<Problem> {
    let place = |line: usize, column: usize| (line as u64, column as u64);
    match parsed {
        Ok(parsed) => parsed
            .warnings()
            .iter()
            .map(|warning| {
                let (line, column) = place(warning.place().line(), warning.place().column());
                let message = format!("{} (at `{}`)", warning.message(), warning.pointer());
                Problem::error(warning.code(), &policy.path, message).at(policy.text(), line, column).as_warning()
            })
            .collect(),
        Err(errors) => errors
            .iter()
            .map(|error| {
                let (line, column) = place(error.place().line(), error.place().column());
                let message = format!("{} (at `{}`)", error.message(), error.pointer());
                let problem = Problem::error("policy", &policy.path, message).at(policy.text(), line, column);
                match error.remedy() {
                    Some(remedy) => problem.help(remedy),
                    None => problem,
                }
            })
            .collect(),
    }
}

/// The errors and warnings of our gateway, which this build does not have.
#[cfg(not(feature = "embedded"))]
pub fn check_policy(_policy: &PolicyFile) -> Vec<Problem> {
    Vec::new()
}
