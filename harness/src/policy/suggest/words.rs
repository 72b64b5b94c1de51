//! The words of names and descriptions, and what they tell.

/// What a verb does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Reads,
    Tries,
    /// Moves money by itself.
    Pays,
    /// Makes what is named behind it.
    Makes,
    Cancels,
    Destroys,
    Extends,
    Changes,
}

const VERBS: [(Verb, &[&str]); 8] = [
    (
        Verb::Reads,
        &[
            "browse", "check", "count", "describe", "download", "explain", "fetch", "find", "get", "inspect", "list",
            "lookup", "ping", "poll", "query", "read", "retrieve", "return", "search", "show", "stat", "tell", "view",
            "watch",
        ],
    ),
    (Verb::Tries, &["dry", "estimate", "preview", "quote", "simulate", "test", "validate", "verify"]),
    (
        Verb::Pays,
        &[
            "bid",
            "borrow",
            "bridge",
            "buy",
            "capture",
            "charge",
            "convert",
            "deposit",
            "donate",
            "exercise",
            "invest",
            "lend",
            "liquidate",
            "pay",
            "payout",
            "purchase",
            "redeem",
            "refund",
            "remit",
            "repay",
            "sell",
            "settle",
            "spend",
            "stake",
            "swap",
            "tip",
            "topup",
            "trade",
            "transfer",
            "unstake",
            "wire",
            "withdraw",
        ],
    ),
    (
        Verb::Makes,
        &[
            "add",
            "allocate",
            "amend",
            "approve",
            "authorize",
            "confirm",
            "create",
            "execute",
            "generate",
            "grant",
            "insert",
            "issue",
            "make",
            "mint",
            "modify",
            "new",
            "open",
            "place",
            "post",
            "publish",
            "put",
            "register",
            "replace",
            "reset",
            "rotate",
            "run",
            "send",
            "sign",
            "start",
            "submit",
            "upload",
            "write",
        ],
    ),
    (Verb::Cancels, &["abort", "cancel", "pause", "stop", "void"]),
    (
        Verb::Destroys,
        &[
            "clear",
            "close",
            "deactivate",
            "delete",
            "destroy",
            "disable",
            "drop",
            "end",
            "erase",
            "expire",
            "invalidate",
            "kill",
            "nuke",
            "purge",
            "remove",
            "revoke",
            "terminate",
            "truncate",
            "unregister",
            "wipe",
        ],
    ),
    (Verb::Extends, &["extend", "keepalive", "prolong", "refresh", "renew"]),
    (
        Verb::Changes,
        &["change", "edit", "enable", "link", "merge", "move", "patch", "rename", "set", "toggle", "update"],
    ),
];

/// What is paid, traded or owed.
const MONEY: &[&str] = &[
    "charge",
    "donation",
    "fund",
    "funds",
    "invoice",
    "loan",
    "money",
    "order",
    "payment",
    "payout",
    "position",
    "purchase",
    "refund",
    "subscription",
    "swap",
    "trade",
    "transaction",
    "transfer",
    "withdrawal",
    "bid",
    "deposit",
];

/// What opens a door to whoever holds it. The first are credentials even when they are only read.
const SECRETS: &[&str] = &["credential", "mnemonic", "passphrase", "password", "secret"];
const KEYS: &[&str] = &["apikey", "certificate", "key", "listenkey", "session", "stream", "token"];

/// What everybody may read.
const PUBLIC: &[&str] = &[
    "avg",
    "book",
    "candle",
    "candlestick",
    "clock",
    "depth",
    "exchange",
    "health",
    "kline",
    "market",
    "ping",
    "price",
    "public",
    "server",
    "status",
    "symbol",
    "ticker",
    "time",
    "version",
    "weather",
];

/// What belongs to somebody.
const PRIVATE: &[&str] = &[
    "account",
    "balance",
    "customer",
    "file",
    "inbox",
    "invoice",
    "mail",
    "message",
    "my",
    "order",
    "own",
    "payment",
    "portfolio",
    "position",
    "private",
    "user",
    "wallet",
    "your",
];

const EVERYTHING: &[&str] = &["all", "any", "batch", "bulk", "each", "entire", "every", "everything", "mass"];

/// The words of a name or of a text: lower case, split at capitals, underscores and whatever is no letter or digit.
pub(super) fn of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut lower_before = false;
    for character in text.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        lower_before = character.is_lowercase() || character.is_ascii_digit();
        if character.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What `word` does, as a verb, in its plain form or as in "places".
pub(super) fn verb(word: &str) -> Option<Verb> {
    let is = |known: &str| {
        word == known
            || word.strip_suffix('s') == Some(known)
            || word.strip_suffix("es") == Some(known)
            || known.strip_suffix('y').is_some_and(|stem| word.strip_suffix("ies") == Some(stem))
    };
    VERBS.iter().find(|(_, words)| words.iter().any(|known| is(known))).map(|(verb, _)| *verb)
}

/// Whether one of `words` is one of `known`, in the singular or the plural.
fn any(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| {
        let singular = word.strip_suffix('s').unwrap_or(word);
        known.iter().any(|known| word == known || singular == *known)
    })
}

pub(super) fn speaks_of_money(words: &[String]) -> bool {
    any(words, MONEY)
}

pub(super) fn speaks_of_secrets(words: &[String]) -> bool {
    // "API key" and "private key" are secrets; a key of a map is none.
    let pairs = words.windows(2).any(|pair| {
        matches!(pair, [first, second] if ["api", "private", "signing", "listen", "access", "bearer"].contains(&first.as_str())
            && ["key", "keys", "token", "tokens"].contains(&second.as_str()))
    });
    pairs || any(words, SECRETS)
}

pub(super) fn speaks_of_credentials(words: &[String]) -> bool {
    speaks_of_secrets(words) || any(words, KEYS)
}

pub(super) fn speaks_of_public(words: &[String]) -> bool {
    any(words, PUBLIC)
}

pub(super) fn speaks_of_private(words: &[String]) -> bool {
    // An order book is everybody's.
    let mut rest = words.to_vec();
    if let Some(at) = words.windows(2).position(|pair| pair == ["order", "book"]) {
        rest.drain(at..at + 2);
    }
    any(&rest, PRIVATE)
}

pub(super) fn speaks_of_everything(words: &[String]) -> bool {
    words.iter().any(|word| EVERYTHING.contains(&word.as_str()))
}

/// The first of `names` that is an amount, and whether `names` are those of a payment or an order.
pub(super) fn amount(names: &[String]) -> Option<&String> {
    const AMOUNTS: &[&str] =
        &["amount", "sum", "total", "value", "quantity", "qty", "size", "volume", "notional", "cents", "lots", "stake"];
    let is = |name: &&String, known: &str| of(name).iter().any(|word| word == known);
    AMOUNTS.iter().find_map(|known| names.iter().find(|name| is(name, known)))
}

pub(super) fn pays_by_arguments(names: &[String]) -> bool {
    const TO: &[&str] =
        &["address", "beneficiary", "currency", "destination", "iban", "payee", "recipient", "side", "to"];
    let is_to = |name: &String| of(name).iter().any(|word| TO.contains(&word.as_str()));
    amount(names).is_some() && names.iter().any(is_to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, expected) in [
            ("bn_new_order", vec!["bn", "new", "order"]),
            ("createCharge", vec!["create", "charge"]),
            ("files/list.v2", vec!["files", "list", "v2"]),
            ("getHTTPStatus", vec!["get", "httpstatus"]),
            ("", vec![]),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }

    #[test]
    fn verbs_are_known_in_both_forms() {
        assert_eq!(verb("places"), Some(Verb::Makes));
        assert_eq!(verb("queries"), Some(Verb::Reads));
        assert_eq!(verb("purchase"), Some(Verb::Pays));
        assert_eq!(verb("purchases"), Some(Verb::Pays));
        assert_eq!(verb("orders"), None);
    }

    #[test]
    fn arguments_of_payments_are_known() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(pays_by_arguments(&names("toAddress amountInCents")));
        assert!(pays_by_arguments(&names("symbol side quantity")));
        assert!(!pays_by_arguments(&names("symbol quantity")));
        assert_eq!(amount(&names("symbol size amount")), Some(&"amount".to_owned()));
    }
}
