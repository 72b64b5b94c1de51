//! From paths to sound cases.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_saphyr::{DefaultMessageFormatter, Error as YamlError, Options, SnippetMode};

use super::comments;
use super::lint::lint_case;
use super::policy::{check_grant_policy, check_policy};
use super::policy_file::PolicyFile;
use super::problem::nearest;
use super::{Located, Operator, Problem, Scenario, Severity, Step};

/// A scenario with its surroundings: what the runner needs, with every file read.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The scenario.
    pub scenario: Scenario,
    /// Its file.
    pub path: PathBuf,
    /// Its policy document.
    pub policy: PolicyFile,
    /// The documents that its operator puts in force, by their names.
    pub reloads: BTreeMap<String, PolicyFile>,
    /// The documents of grants that have a policy of their own, by the grant's name.
    pub grants: BTreeMap<String, PolicyFile>,
}

/// Cases and what is doubtful about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// The cases, in the order of their ids.
    pub cases: Vec<Case>,
    /// Warnings.
    pub warnings: Vec<Problem>,
}

/// Reads YAML into a scenario. `path` is only named in problems.
pub fn parse(path: &Path, source: &str) -> Result<Scenario, Problem> {
    from_yaml(path, source)
}

/// Reads YAML of any shape, by the rules that hold for scenarios.
pub(crate) fn from_yaml<T: DeserializeOwned>(path: &Path, source: &str) -> Result<T, Problem> {
    serde_saphyr::from_str_with_options(source, options()).map_err(|error| yaml_problem(path, source, &error))
}

/// Writes a scenario as YAML that [`parse`] reads back to the same scenario.
pub fn to_yaml(scenario: &Scenario) -> Result<String, String> {
    serde_saphyr::to_string(scenario)
        .map(|body| format!("# yaml-language-server: $schema=../schema/scenario.v1.json\n{body}"))
        .map_err(|error| error.to_string())
}

/// Reads one file, its policy too, and checks both. On success the problems are warnings.
pub fn load(path: &Path) -> Result<(Case, Vec<Problem>), Vec<Problem>> {
    let source = read(path).map_err(|problem| vec![problem])?;
    let scenario = parse(path, &source).map_err(|problem| vec![problem])?;
    let policy = find_policy(path, &source, &scenario.policy);
    let (reloads, mut missing) = reloads(path, &source, &scenario);
    let (grants, of_grants) = grants(path, &source, &scenario);
    missing.extend(of_grants);
    let policies: Vec<&PolicyFile> = policy.iter().chain(grants.values()).collect();
    let mut problems = lint_case(path, &source, &scenario, &policies);
    problems.extend(policy.iter().chain(reloads.values()).flat_map(check_policy));
    problems.extend(grants.values().flat_map(check_grant_policy));
    problems.extend(missing);
    let (mut errors, warnings): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.severity() == Severity::Error);
    match policy {
        Ok(policy) if errors.is_empty() => {
            let path = path.to_owned();
            Ok((Case { scenario, path, policy, reloads, grants }, warnings))
        }
        Ok(_) => Err(errors),
        Err(problem) => {
            errors.push(problem);
            Err(errors)
        }
    }
}

/// Reads every scenario that `paths` name: files, or folders with all scenario files beneath them.
pub fn load_all(paths: &[PathBuf]) -> Result<Loaded, Vec<Problem>> {
    let files = discover(paths)?;
    let mut loaded = Loaded::default();
    let mut errors = Vec::new();
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        match load(&file) {
            Ok((case, warnings)) => {
                if let Some(other) = first.insert(case.scenario.id.to_string(), file.clone()) {
                    errors.push(
                        Problem::error("id-twice", &file, format!("the id `{}` is taken", case.scenario.id))
                            .help(format!("`{}` has it already; ids are unique in a run", other.display())),
                    );
                }
                extend_anew(&mut loaded.warnings, warnings);
                loaded.cases.push(case);
            }
            Err(problems) => extend_anew(&mut errors, problems),
        }
    }
    if !errors.is_empty() {
        errors.extend(loaded.warnings);
        return Err(errors);
    }
    loaded.cases.sort_by(|a, b| a.scenario.id.cmp(&b.scenario.id));
    Ok(loaded)
}

/// Scenarios share policies: what is wrong with one is said once.
fn extend_anew(said: &mut Vec<Problem>, problems: Vec<Problem>) {
    for problem in problems {
        if !said.contains(&problem) {
            said.push(problem);
        }
    }
}

/// The scenario files that `paths` name, sorted, each once. In a folder these are the `.yaml` files at any depth,
/// except those in folders called `policies`, `schema` or `targets`.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Vec<Problem>> {
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        if path.is_dir() {
            if let Err(problem) = walk(path, &mut files) {
                errors.push(problem);
            }
        } else if path.is_file() {
            files.push(path.clone());
        } else {
            errors.push(Problem::error("no-file", path, "there is no such file or folder"));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| Problem::error("unreadable", folder, error.to_string());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let named = |name: &str| path.file_name().is_some_and(|file| file == name);
        if path.is_dir() {
            if !["policies", "schema", "targets"].into_iter().any(named) {
                walk(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Problem> {
    let bytes = fs::read(path).map_err(|error| Problem::error("unreadable", path, error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Problem::error("not-utf8", path, format!("the file is not UTF-8 from byte {valid} on"))
            .help("save it as UTF-8; a `raw` step holds other bytes as hexadecimal")
    })
}

/// How the files of policies end; what they are written in is theirs.
const POLICY_ENDS: [&str; 3] = ["json", "yaml", "yml"];

/// The policies that the scenario's operator puts in force, and those that are not there.
fn reloads(path: &Path, source: &str, scenario: &Scenario) -> (BTreeMap<String, PolicyFile>, Vec<Problem>) {
    let mut names: Vec<Located<String>> = Vec::new();
    let mut scripts = vec![scenario.attack.as_slice(), scenario.steps.as_slice()];
    scripts.extend(scenario.twin.as_ref().map(|twin| twin.steps.as_slice()));
    while let Some(steps) = scripts.pop() {
        for step in steps {
            if let Step::Operator(Operator::Reload(name)) = &step.value {
                names.push(name.clone());
            }
            scripts.push(step.value.inner());
        }
    }
    let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
    for name in names {
        match find_policy(path, source, &name) {
            Ok(policy) => drop(found.insert(name.value, policy)),
            Err(problem) => missing.push(problem),
        }
    }
    (found, missing)
}

/// The policies of grants that have one of their own, and those that are not there.
fn grants(path: &Path, source: &str, scenario: &Scenario) -> (BTreeMap<String, PolicyFile>, Vec<Problem>) {
    let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
    for agent in scenario.agents.values() {
        let Some(name) = &agent.policy else { continue };
        match find_policy(path, source, name) {
            Ok(policy) => drop(found.insert(agent.grant.value.clone(), policy)),
            Err(problem) => missing.push(problem),
        }
    }
    (found, missing)
}

/// `policies/<name>.json`, or `.yaml`, in the file's folder or the nearest folder above it.
fn find_policy(path: &Path, source: &str, name: &Located<String>) -> Result<PolicyFile, Problem> {
    let file = format!("{}.json", name.value);
    let found = path.ancestors().skip(1).find_map(|folder| {
        let candidates = POLICY_ENDS.iter().map(|end| folder.join("policies").join(format!("{}.{end}", name.value)));
        let there: Vec<PathBuf> = candidates.filter(|candidate| candidate.is_file()).collect();
        (!there.is_empty()).then_some(there)
    });
    if let Some([first, second, ..]) = found.as_deref() {
        let message = format!("`{}` and `{}` are both the policy `{}`", first.display(), second.display(), name.value);
        let problem = Problem::error("policy-twice", path, message).at(source, name.line, name.column);
        return Err(problem.help("keep one of them, or give the other a name of its own"));
    }
    let found = found.and_then(|there| there.into_iter().next());
    let Some(found) = found else {
        let folders: Vec<PathBuf> =
            path.ancestors().skip(1).map(|folder| folder.join("policies")).filter(|folder| folder.is_dir()).collect();
        let names = policy_names(&folders);
        let mut problem = Problem::error("policy-missing", path, format!("there is no policy `{}`", name.value)).at(
            source,
            name.line,
            name.column,
        );
        problem = match (nearest(&name.value, names.iter().map(String::as_str)), folders.first()) {
            (Some(near), _) => problem.help(format!("did you mean `{near}`?")),
            (None, Some(folder)) => problem.help(format!("there are {} in `{}`", names.join(", "), folder.display())),
            (None, None) => problem.help(format!("put it into `policies/{file}` beside the scenario or above it")),
        };
        return Err(problem);
    };
    let text = read(&found)?;
    // What is wrong with YAML the gateway says.
    let is_json = found.extension().is_some_and(|end| end == "json");
    if is_json && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&comments::blanked(&text)) {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        let problem = Problem::error("policy-json", &found, format!("the policy is not JSON: {message}"));
        return Err(problem.at(&text, line as u64, column.max(1) as u64));
    }
    Ok(PolicyFile::beside(&found, text))
}

fn policy_names(folders: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_policy = POLICY_ENDS.iter().any(|end| path.extension().is_some_and(|given| given == *end));
            let name = path.file_stem()?.to_string_lossy().into_owned();
            // Beside policies stand their tests, and the reasons for what none of them notices.
            let is_beside = matches!(name.rsplit('.').next(), Some("tests" | "equivalent"));
            (is_policy && !is_beside).then_some(name)
        })
        .collect();
    names.sort();
    names
}

fn options() -> Options {
    serde_saphyr::options! {
        // `no` and `on` stay words: only `true` and `false` are booleans.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

fn yaml_problem(path: &Path, source: &str, error: &YamlError) -> Problem {
    let plain = serde_saphyr::render_options! {
        formatter: &DefaultMessageFormatter,
        snippets: SnippetMode::Off,
    };
    let error = error.without_snippet();
    let place = error.location().map_or((0, 0), |location| (location.line(), location.column()));
    let rendered = error.render_with_options(plain);
    // The place is shown by the problem itself.
    let message = rendered.rsplit_once(" at line ").map_or(rendered.as_str(), |(message, _)| message);
    let (code, message, help) = match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            ("unknown-key", format!("there is no key `{field}` here"), choice(field, expected, "keys"))
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            ("unknown-word", format!("`{variant}` has no meaning here"), choice(variant, expected, "words"))
        }
        YamlError::SerdeMissingField { field, .. } => {
            ("missing-key", format!("the key `{field}` is missing"), Some(format!("add `{field}: ...`")))
        }
        _ => ("yaml", message.to_owned(), None),
    };
    let problem = Problem::error(code, path, message).at(source, place.0, place.1);
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn choice(wrong: &str, expected: &[&'static str], what: &str) -> Option<String> {
    let near = nearest(wrong, expected.iter().copied());
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    (!expected.is_empty()).then(|| format!("{near}The {what} here are {}", expected.join(", ")))
}
