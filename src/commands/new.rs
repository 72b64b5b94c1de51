//! `rogue new`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rogue_harness::scenario;
use rogue_harness::verdict::ExitClass;
use serde_json::Value;

use crate::args::New;
use crate::output::{Failure, Output};

/// The files as they are written; `Cargo.toml` and the schema are put together.
const FILES: [(&str, &str); 8] = [
    ("scenarios/policies/desk.json", include_str!("../scaffold/policy.json")),
    ("scenarios/attacks/too-large.yaml", include_str!("../scaffold/attack.yaml")),
    ("scenarios/workflows/daily-purchase.yaml", include_str!("../scaffold/workflow.yaml")),
    ("tests/scenarios.rs", include_str!("../scaffold/scenarios.rs")),
    ("src/lib.rs", include_str!("../scaffold/lib.rs")),
    (".github/workflows/policy.yml", include_str!("../scaffold/ci.yml")),
    ("README.md", include_str!("../scaffold/README.md")),
    (".gitignore", include_str!("../scaffold/gitignore.txt")),
];
const MANIFEST: &str = include_str!("../scaffold/Cargo.toml.txt");

/// The harness of the checkout that this command was built in.
const BUILT_WITH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/harness");

pub(crate) fn new(args: &New, output: &mut Output) -> Result<ExitClass, Failure> {
    empty(&args.folder)?;
    let manifest = manifest(args)?;
    let schema = format!("{:#}\n", scenario::json_schema());
    let made = [("Cargo.toml", manifest.as_str()), ("scenarios/schema/scenario.v1.json", schema.as_str())];
    for (name, text) in made.into_iter().chain(FILES) {
        super::run::write(&args.folder.join(name), text)?;
        output.print(&format!("  {}\n", args.folder.join(name).display()))?;
    }
    let shown = args.folder.display();
    output.print(&format!("Next: `cd {shown}`, then `rogue run`, or `cargo test`; its README.md says the rest.\n"))?;
    Ok(ExitClass::Good)
}

/// Nothing that somebody has written is replaced.
fn empty(folder: &Path) -> Result<(), Failure> {
    let refused = |what: String| Err(Failure::usage(what, "name a folder that is not there yet, or an empty one"));
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => refused(format!("the folder `{}` is not empty", folder.display())),
            None => Ok(()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => refused(format!("`{}` cannot be read as a folder: {error}", folder.display())),
    }
}

fn manifest(args: &New) -> Result<String, Failure> {
    let (remark, source) = if let (Some(git), Some(rev)) = (&args.harness_git, &args.harness_rev) {
        let remark = "Cargo finds the harness in the repository by its name.";
        (remark, format!("git = {}, rev = {}", quoted(git), quoted(rev)))
    } else {
        let path = harness(args.harness_path.as_deref())?;
        let path = path.to_str().ok_or_else(|| {
            let message = format!("the path `{}` is not UTF-8, and Cargo.toml is", path.display());
            Failure::usage(message, "name another place with `--harness-path`")
        })?;
        let remark =
            "A path is good on this machine alone: for others write `git = \"...\", rev = \"...\"` in its place.";
        (remark, format!("path = {}", quoted(path)))
    };
    Ok(MANIFEST.replace("{remark}", remark).replace("{source}", &source))
}

/// The folder of the harness, looked at: a wrong one would be told by Cargo alone, and in its own words.
fn harness(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let folder = named.unwrap_or(Path::new(BUILT_WITH));
    let is_harness =
        fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"rogue-harness\""));
    let found = if is_harness { folder.canonicalize().ok() } else { None };
    found.ok_or_else(|| {
        let message = format!("the crate `rogue-harness` is not in `{}`", folder.display());
        let remedy =
            "name the folder `harness` of a checkout with `--harness-path`, or a repository with `--harness-git` and `--harness-rev`";
        Failure::usage(message, remedy)
    })
}

/// A string of TOML: what JSON escapes, TOML escapes the same.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
