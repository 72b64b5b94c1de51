//! Which class a tool is of, and why.
//!
//! The name, the description and the arguments are read apart, and the gravest reading holds: a server that describes
//! `create_charge` as harmless gains nothing, and neither does one that calls a payment `get_ready`. Only a name that
//! says that it tries something out is taken at its word against arguments like those of an order.

use serde::Serialize;

use super::class::Class;
use super::listed::{Tool, shown};
use super::words::{self, Verb};

/// A tool with its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The tool's name.
    pub name: String,
    /// What it can do.
    pub class: Class,
    /// Why it is thought so.
    pub because: Vec<String>,
    /// What a person should look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// The classes of all tools of a server, in their order.
pub fn judge(tools: &[Tool]) -> Vec<Judged> {
    let names: Vec<Vec<String>> = tools.iter().map(|tool| words::of(&tool.name)).collect();
    let prefix = common_prefix(&names);
    tools.iter().zip(&names).map(|(tool, name)| one(tool, name.get(prefix..).unwrap_or_default())).collect()
}

/// How many words all names begin with, so that what servers put before each name says nothing.
fn common_prefix(names: &[Vec<String>]) -> usize {
    let Some((first, others)) = names.split_first().filter(|(_, others)| !others.is_empty()) else { return 0 };
    let shared = |at: usize| others.iter().all(|name| name.get(at).is_some() && name.get(at) == first.get(at));
    (0..first.len().saturating_sub(1)).take_while(|at| shared(*at)).count()
}

/// One reading of a tool.
struct Reading {
    class: Class,
    because: String,
}

fn one(tool: &Tool, name: &[String]) -> Judged {
    let first_sentence = tool.description.split(['.', ';', '\n']).next().unwrap_or_default();
    let sentence = words::of(first_sentence);
    // What is read stands before the first comma; behind it come its parts.
    let clause = words::of(first_sentence.split([',', ':', '(']).next().unwrap_or_default());
    let by_name = by_name(name, &clause);
    let tries = by_name.as_ref().is_some_and(|reading| reading.class == Class::DryRun);
    let by_description = by_description(name, &sentence, &clause, &tool.description);
    let by_arguments = by_arguments(tool, tries);
    let says_read = by_description.as_ref().is_some_and(|reading| reading.class.is_read());
    let mut readings: Vec<Reading> = [by_name, by_description, by_arguments].into_iter().flatten().collect();
    if tries && says_read {
        // What a trial tells is its own affair.
        readings.retain(|reading| reading.class == Class::DryRun || !reading.class.is_read());
    }
    let class = readings.iter().map(|reading| reading.class).max().unwrap_or(Class::Unknown);
    let told = |reading: Reading| {
        let differs = reading.class != class;
        if differs { format!("{} ({})", reading.because, reading.class.title()) } else { reading.because }
    };
    let mut because: Vec<String> = readings.into_iter().map(told).collect();
    if because.is_empty() {
        because.push("neither its name nor its description says what it does".to_owned());
    }
    Judged { name: tool.name.clone(), class, because, doubts: doubts(tool, class) }
}

fn doubts(tool: &Tool, class: Class) -> Vec<String> {
    let mut doubts = Vec::new();
    let title = class.title();
    if tool.read_only_hint == Some(true) && !class.is_read() {
        doubts.push(format!(
            "its annotations say that it only reads; its words say: {title}. The annotation is not believed"
        ));
    }
    if tool.destructive_hint == Some(false) && matches!(class, Class::MovesMoney | Class::Destroys | Class::CancelsAll)
    {
        doubts.push(format!(
            "its annotations say that it destroys nothing; its words say: {title}. The annotation is not believed"
        ));
    }
    if class.is_read() && (tool.destructive_hint == Some(true) || tool.read_only_hint == Some(false)) {
        doubts.push(format!(
            "its annotations say that it changes something; its words say: {title}. Ask its author which is true"
        ));
    }
    doubts
}

/// What the name says, and beside it the description where a name tells only what is read and not whose it is.
fn by_name(name: &[String], clause: &[String]) -> Option<Reading> {
    let (verb, rest) = verb_of_name(name)?;
    let class = class_of(verb, &rest, name, clause);
    Some(Reading { class, because: format!("its name says `{}`", shown(&name.join(" "))) })
}

/// The verb of a name and the words beside it: the first word, or the gravest plain verb where a noun stands first, as
/// in `charge.create`.
fn verb_of_name(name: &[String]) -> Option<(Verb, Vec<String>)> {
    let but = |at: usize| -> Vec<String> {
        name.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, word)| word.clone()).collect()
    };
    let joined = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| name.get(at));
        before.is_some_and(|word| ["and", "or", "then"].contains(&word.as_str()))
    };
    let verbs = || {
        name.iter().enumerate().filter(|(at, word)| !is_adjective(word, name.get(at + 1))).filter_map(|(at, word)| {
            // Behind the first word a plural is a noun.
            let plural = at > 0 && word.ends_with('s');
            words::verb(word).filter(|_| !plural).map(|verb| (at, verb))
        })
    };
    // `list_transfer` and `preview_swap` name what they are about; `get_and_transfer` does both.
    let leads = verbs().any(|(at, _)| at == 0);
    let counted = verbs().filter(|(at, _)| !leads || *at == 0 || joined(*at));
    let gravest = counted.max_by_key(|(at, verb)| (class_of(*verb, &but(*at), name, &[]), usize::MAX - at));
    gravest.map(|(at, verb)| (verb, but(at)))
}

/// "open orders" are orders that are open, "open order" opens one; so it is with "new".
fn is_adjective(word: &str, next: Option<&String>) -> bool {
    matches!(word, "open" | "new" | "set" | "post") && next.is_some_and(|next| next.ends_with('s') && next.len() > 3)
}

fn by_description(name: &[String], sentence: &[String], clause: &[String], description: &str) -> Option<Reading> {
    let quoted = |at: usize| {
        let words: Vec<&str> = sentence.iter().skip(at).take(4).map(String::as_str).collect();
        shown(&words.join(" "))
    };
    let mut readings: Vec<Reading> = Vec::new();
    for (at, verb) in verbs_of_sentence(sentence) {
        let object: Vec<String> = sentence.iter().skip(at + 1).take(6).cloned().collect();
        let class = class_of(verb, &object, name, clause);
        readings.push(Reading { class, because: format!("its description says `{} …`", quoted(at)) });
    }
    readings.extend(warnings_in(description));
    readings.into_iter().max_by_key(|reading| reading.class)
}

/// The first verb of a sentence, and others that are put beside it: "reads the balance and transfers it".
fn verbs_of_sentence(sentence: &[String]) -> Vec<(usize, Verb)> {
    const OBJECTS: [&str; 12] =
        ["a", "all", "an", "each", "every", "funds", "it", "money", "one", "the", "them", "your"];
    let verb = |at: usize| {
        let word = sentence.get(at)?;
        words::verb(word).filter(|_| !is_adjective(word, sentence.get(at + 1))).map(|verb| (at, verb))
    };
    let word = |at: Option<usize>| at.and_then(|at| sentence.get(at)).map(String::as_str).unwrap_or_default();
    let first = (0..sentence.len().min(8)).find_map(verb);
    let from = first.map_or(usize::MAX, |(at, _)| at.saturating_add(1));
    let others = (from..sentence.len()).filter(|at| {
        OBJECTS.contains(&word(at.checked_add(1))) && !["not", "without", "never"].contains(&word(at.checked_sub(1)))
    });
    let joined = |at: &usize| {
        // Within three words: "and", "and then", "and also".
        (1..=3).any(|back| matches!(word(at.checked_sub(back)), "and" | "or" | "then"))
    };
    first.into_iter().chain(others.filter(joined).filter_map(verb)).collect()
}

/// What a description warns of anywhere, unless the sentence denies it.
fn warnings_in(description: &str) -> Option<Reading> {
    const WARNINGS: [(&str, Class); 7] = [
        ("real money", Class::MovesMoney),
        ("real order", Class::MovesMoney),
        ("real funds", Class::MovesMoney),
        ("moves funds", Class::MovesMoney),
        ("irreversibl", Class::Destroys),
        ("cannot be undone", Class::Destroys),
        ("permanently", Class::Destroys),
    ];
    let sentences = description.split(['.', ';', '\n']).map(str::to_lowercase);
    let mut told = sentences.filter_map(|sentence| {
        let words = words::of(&sentence);
        // "Cannot" is the warning itself.
        let denied = words.iter().any(|word| ["not", "no", "without", "never"].contains(&word.as_str()));
        let warning = WARNINGS.iter().find(|(phrase, _)| sentence.contains(phrase));
        warning
            .filter(|_| !denied)
            .map(|(phrase, class)| Reading { class: *class, because: format!("its description speaks of `{phrase}`") })
    });
    told.next()
}

fn by_arguments(tool: &Tool, tries: bool) -> Option<Reading> {
    if tries || !words::pays_by_arguments(&tool.arguments) {
        return None;
    }
    let class = Class::MovesMoney;
    let amount = words::amount(&tool.arguments).map(|name| shown(name)).unwrap_or_default();
    Some(Reading { class, because: format!("its arguments are those of a payment or an order (`{amount}`)") })
}

/// What a verb with the words beside it comes to.
fn class_of(verb: Verb, object: &[String], name: &[String], clause: &[String]) -> Class {
    const OF_PERSONS: [&str; 4] = ["account", "customer", "user", "organisation"];
    const HELD: [&str; 6] = ["position", "positions", "fund", "funds", "money", "liquidity"];
    const ORDERS: [&str; 6] = ["order", "orders", "bid", "bids", "job", "jobs"];
    let about = |known: &[&str]| object.iter().any(|word| known.contains(&word.as_str()));
    match verb {
        Verb::Tries => Class::DryRun,
        Verb::Reads if words::speaks_of_secrets(object) => Class::MintsCredential,
        Verb::Reads => {
            // The name says whose it is before the description does; what says nothing is somebody's.
            let public = [name, clause].into_iter().find_map(|words| {
                match (words::speaks_of_private(words), words::speaks_of_public(words)) {
                    (true, _) => Some(false),
                    (false, true) => Some(true),
                    (false, false) => None,
                }
            });
            if public.unwrap_or(false) { Class::PublicRead } else { Class::PrivateRead }
        }
        Verb::Pays => Class::MovesMoney,
        Verb::Makes if words::speaks_of_credentials(object) => Class::MintsCredential,
        Verb::Extends | Verb::Cancels | Verb::Destroys if words::speaks_of_credentials(object) => {
            Class::ChangesCredential
        }
        Verb::Makes | Verb::Changes | Verb::Extends if words::speaks_of_money(object) => Class::MovesMoney,
        Verb::Makes | Verb::Changes | Verb::Extends => Class::Changes,
        Verb::Cancels | Verb::Destroys if about(&HELD) => Class::MovesMoney,
        Verb::Cancels if about(&OF_PERSONS) && !about(&ORDERS) => Class::Destroys,
        Verb::Destroys if !about(&ORDERS) => Class::Destroys,
        Verb::Cancels | Verb::Destroys if words::speaks_of_everything(object) => Class::CancelsAll,
        Verb::Cancels | Verb::Destroys => Class::Cancels,
    }
}
