//! The arguments that a tool's rules mention, found in one pass over a call's arguments.
//!
//! The pass visits each argument of the call once, however many rules the tool has, and notices on the way when a key
//! is not the mentioned one but folds to it: a server that matches keys without regard to case would take it for the
//! mentioned one, after the rules have looked past it.

use serde_json::{Map, Value};

use crate::pointer::index;
use crate::strict::{eq_folded, fold};

/// Up to how many members an object is looked through rather than hashed: hashing a name against keys that somebody
/// chose to fall together costs more than comparing it with a handful.
const LOOKED_THROUGH: usize = 16;

/// A member of an object that a caller sent.
pub(crate) fn member<'v>(members: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if members.len() <= LOOKED_THROUGH {
        members.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    } else {
        members.get(name)
    }
}

/// Keys that rules mention, as a tree: under each key the keys of the values below it.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    keys: Vec<Mention>,
    /// The hash of each folded key and its index in `keys`, ordered.
    by_hash: Vec<(u64, usize)>,
}

#[derive(Debug)]
struct Mention {
    key: String,
    below: Mentions,
}

/// A path below `args`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// As the document writes it.
    text: String,
    /// Which mentioned key the path begins with.
    first: usize,
    rest: Vec<String>,
}

/// A key of the call is not the mentioned one but folds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous<'m> {
    /// The key that the rules mention.
    pub(crate) mentioned: &'m str,
}

/// The values of the mentioned keys in one call.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    few: [Option<&'a Value>; FEW],
    /// Used instead of `few` when a tool's rules mention more keys than that.
    many: Vec<Option<&'a Value>>,
}

/// Tools whose rules mention up to this many keys are judged without an allocation.
const FEW: usize = 64;

impl Mentions {
    /// Notes the path `segments`, of which there is at least one, and returns it resolved.
    pub(crate) fn note(&mut self, text: &str, segments: &[&str]) -> Path {
        let first = match segments.split_first() {
            Some((first, rest)) => {
                let index = self.index_of(first);
                if let Some(mention) = self.keys.get_mut(index) {
                    mention.below.note_below(rest);
                }
                index
            }
            None => 0,
        };
        let rest = segments.iter().skip(1).map(|segment| (*segment).to_owned()).collect();
        Path { text: text.to_owned(), first, rest }
    }

    fn note_below(&mut self, segments: &[&str]) {
        if let Some((first, rest)) = segments.split_first() {
            let index = self.index_of(first);
            if let Some(mention) = self.keys.get_mut(index) {
                mention.below.note_below(rest);
            }
        }
    }

    fn index_of(&mut self, key: &str) -> usize {
        if let Some(index) = self.keys.iter().position(|mention| mention.key == key) {
            return index;
        }
        let index = self.keys.len();
        self.keys.push(Mention { key: key.to_owned(), below: Self::default() });
        let entry = (folded_hash(key), index);
        let at = self.by_hash.partition_point(|other| *other < entry);
        self.by_hash.insert(at, entry);
        index
    }

    /// Finds the mentioned keys in `arguments`.
    pub(crate) fn bind<'a>(&self, arguments: &'a Map<String, Value>) -> Result<Bound<'a>, Ambiguous<'_>> {
        let mut bound = Bound::default();
        if self.keys.is_empty() {
            return Ok(bound);
        }
        if self.keys.len() > FEW {
            bound.many.resize(self.keys.len(), None);
        }
        self.visit(arguments, |index, value| {
            if let Some(slot) = bound.slots().get_mut(index) {
                *slot = Some(value);
            }
        })?;
        Ok(bound)
    }

    /// Hands `found` each value whose key is mentioned exactly.
    fn visit<'a, 'm>(
        &'m self,
        object: &'a Map<String, Value>,
        mut found: impl FnMut(usize, &'a Value),
    ) -> Result<(), Ambiguous<'m>> {
        for (key, value) in object {
            let mut variant = None;
            let mut exact = false;
            for (index, mention) in self.folding_like(key) {
                if mention.key == *key {
                    exact = true;
                    found(index, value);
                    mention.below.check(value)?;
                } else {
                    variant = Some(mention.key.as_str());
                }
            }
            // Rules that mention both spellings know what they do.
            if let (Some(mentioned), false) = (variant, exact) {
                return Err(Ambiguous { mentioned });
            }
        }
        Ok(())
    }

    fn check(&self, value: &Value) -> Result<(), Ambiguous<'_>> {
        if self.keys.is_empty() {
            return Ok(());
        }
        match value {
            Value::Object(object) => self.visit(object, |_, _| ()),
            Value::Array(elements) => self.keys.iter().try_for_each(|mention| {
                let element = index(&mention.key).and_then(|index| elements.get(index));
                element.map_or(Ok(()), |element| mention.below.check(element))
            }),
            _ => Ok(()),
        }
    }

    fn folding_like<'m>(&'m self, key: &str) -> impl Iterator<Item = (usize, &'m Mention)> {
        let hash = folded_hash(key);
        let from = self.by_hash.partition_point(|(other, _)| *other < hash);
        let candidates = self.by_hash.get(from..).unwrap_or_default();
        candidates
            .iter()
            .take_while(move |(other, _)| *other == hash)
            .filter_map(|(_, index)| Some((*index, self.keys.get(*index)?)))
            .filter(move |(_, mention)| eq_folded(&mention.key, key))
    }
}

impl Path {
    /// As the document writes it, such as `args.quantity`.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl Default for Bound<'_> {
    /// Nothing was found.
    fn default() -> Self {
        Self { few: [None; FEW], many: Vec::new() }
    }
}

impl<'a> Bound<'a> {
    fn slots(&mut self) -> &mut [Option<&'a Value>] {
        if self.many.is_empty() { &mut self.few } else { &mut self.many }
    }

    /// The value at `path`, if the call has one.
    pub(crate) fn get(&self, path: &Path) -> Option<&'a Value> {
        let slots = if self.many.is_empty() { self.few.as_slice() } else { &self.many };
        let first = (*slots.get(path.first)?)?;
        path.rest.iter().try_fold(first, |value, segment| match value {
            Value::Object(object) => member(object, segment),
            Value::Array(elements) => elements.get(index(segment)?),
            _ => None,
        })
    }
}

/// FNV-1a of the folded key. The table behind it holds the policy's keys only, so that a caller cannot crowd it.
fn folded_hash(key: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    if key.is_ascii() {
        key.bytes().fold(OFFSET, |hash, byte| step(hash, byte.to_ascii_lowercase()))
    } else {
        fold(key).bytes().fold(OFFSET, step)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mentions(paths: &[&str]) -> (Mentions, Vec<Path>) {
        let mut mentions = Mentions::default();
        let paths =
            paths.iter().map(|path| mentions.note(path, &path.split('.').skip(1).collect::<Vec<_>>())).collect();
        (mentions, paths)
    }

    #[track_caller]
    fn check(path: &str, arguments: &Value, expected: Result<Option<&Value>, &str>) {
        let (mentions, paths) = mentions(&["args.other", path]);
        let arguments = arguments.as_object().unwrap();
        let found = mentions.bind(arguments).map(|bound| bound.get(&paths[1])).map_err(|error| error.mentioned);
        assert_eq!(found, expected, "`{path}` in {arguments:?}");
    }

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        check("args.a", &json!({"a": 1}), Ok(Some(&json!(1))));
        check("args.a", &json!({"a": null}), Ok(Some(&json!(null))));
        check("args.a", &json!({"b": 1}), Ok(None));
        check("args.a.b.0", &json!({"a": {"b": [7]}}), Ok(Some(&json!(7))));
        check("args.a.0", &json!({"a": {"0": 7}}), Ok(Some(&json!(7))));
        check("args.a.1", &json!({"a": [7]}), Ok(None));
        check("args.a.01", &json!({"a": [7, 8]}), Ok(None));
        check("args.a.+1", &json!({"a": [7, 8]}), Ok(None));
        check("args.a.b", &json!({"a": "text"}), Ok(None));
    }

    #[test]
    fn keys_that_fold_to_a_mentioned_one_are_ambiguous() {
        check("args.symbol", &json!({"Symbol": 1}), Err("symbol"));
        check("args.symbol", &json!({"symbol": 1, "SYMBOL": 2}), Err("symbol"));
        check("args.side", &json!({"\u{17f}ide": 1}), Err("side"));
        check("args.key", &json!({"\u{212a}ey": 1}), Err("key"));
        check("args.a.symbol", &json!({"a": {"Symbol": 1}}), Err("symbol"));
        check("args.a.0.symbol", &json!({"a": [{"Symbol": 1}]}), Err("symbol"));
        check("args.a.1.symbol", &json!({"a": [{"Symbol": 1}]}), Ok(None));
        check("args.symbol", &json!({"symbols": 1, "sym": 2}), Ok(None));
        check("args.\u{17f}", &json!({"s": 1}), Err("\u{17f}"));
    }

    #[test]
    fn rules_that_mention_both_spellings_accept_both() {
        let (mentions, paths) = mentions(&["args.symbol", "args.Symbol"]);
        let arguments = json!({"Symbol": 1});
        let bound = mentions.bind(arguments.as_object().unwrap()).unwrap();
        assert_eq!((bound.get(&paths[0]), bound.get(&paths[1])), (None, Some(&json!(1))));
    }

    #[test]
    fn more_keys_than_the_array_holds_are_found_too() {
        let texts: Vec<String> = (0..100).map(|n| format!("args.key{n}")).collect();
        let (mentions, paths) = mentions(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let arguments = json!({"key0": 0, "key63": 63, "key64": 64, "key99": 99});
        let bound = mentions.bind(arguments.as_object().unwrap()).unwrap();
        for n in [0, 63, 64, 99] {
            assert_eq!(bound.get(&paths[n]), Some(&json!(n)));
        }
        assert_eq!(bound.get(&paths[98]), None);
    }
}
