//! What the gateway itself says about a policy document.

use super::Problem;
use super::policy_file::PolicyFile;

/// The errors and warnings of our gateway, which knows the language. A build without it knows nothing and finds
/// nothing.
#[cfg(feature = "embedded")]
pub fn check_policy(policy: &PolicyFile) -> Vec<Problem> {
    problems(policy, policy.document().parse().as_ref())
}

/// The same of a policy of one grant, which cannot count what all grants do.
#[cfg(feature = "embedded")]
pub(crate) fn check_grant_policy(policy: &PolicyFile) -> Vec<Problem> {
    let parsed = policy.document().parse();
    let spans = parsed.as_ref().ok().and_then(|parsed| mcp_gateway::check_own(parsed).err());
    let spans = spans.map(|error| Problem::error("spans-grants", &policy.path, error.to_string()));
    problems(policy, parsed.as_ref()).into_iter().chain(spans).collect()
}

/// What the gateway has to say about a document that it has read.
#[cfg(feature = "embedded")]
pub(crate) fn problems(
    policy: &PolicyFile,
    parsed: Result<&mcp_gateway::mcp_policy::Policy, &mcp_gateway::mcp_policy::PolicyErrors>,
) -> Vec<Problem> {
    // What is wrong in a part is told in its file.
    let files = policy.files();
    let told = |pointer: &str, message: &str, place: mcp_gateway::mcp_policy::Place, code| {
        let part = pointer.split_once('#').filter(|(part, _)| !part.starts_with('/'));
        let path = part.map_or_else(|| policy.path.clone(), |(part, _)| policy.path.with_file_name(part));
        let text = files.iter().find(|(file, _)| *file == path).and_then(|(_, text)| *text).unwrap_or_default();
        let problem = Problem::error(code, &path, format!("{message} (at `{pointer}`)"));
        problem.at(text, place.line() as u64, place.column() as u64)
    };
    match parsed {
        Ok(parsed) => parsed
            .warnings()
            .iter()
            .map(|warning| told(warning.pointer(), warning.message(), warning.place(), warning.code()).as_warning())
            .collect(),
        Err(errors) => errors
            .iter()
            .map(|error| {
                let problem = told(error.pointer(), error.message(), error.place(), "policy");
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

/// The same of a policy of one grant.
#[cfg(not(feature = "embedded"))]
pub(crate) fn check_grant_policy(_policy: &PolicyFile) -> Vec<Problem> {
    Vec::new()
}
