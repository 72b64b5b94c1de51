//! How many listen keys were issued, told from the requests alone.

use std::collections::BTreeMap;

use mock_binance::RequestRecord;

const PATH: &str = "/api/v3/userDataStream";

/// A key lives this long unless it is kept alive (user data streams, "Listen key").
const VALIDITY_MS: u64 = 60 * 60 * 1000;

/// Counts keys: an account that has one and asks again gets the same one, with its time begun anew.
pub(super) fn issued<'a>(requests: impl Iterator<Item = &'a RequestRecord>) -> u64 {
    let mut valid_until: BTreeMap<&str, u64> = BTreeMap::new();
    let mut issued = 0;
    for request in requests.filter(|request| request.path == PATH && request.status == 200) {
        let Some(account) = request.key.as_deref() else { continue };
        let until = request.at_ms.saturating_add(VALIDITY_MS);
        match request.method.as_str() {
            "POST" => {
                let alive = valid_until.get(account).is_some_and(|until| *until > request.at_ms);
                issued += u64::from(!alive);
                valid_until.insert(account, until);
            }
            "PUT" => {
                valid_until.insert(account, until);
            }
            "DELETE" => {
                valid_until.remove(account);
            }
            _ => {}
        }
    }
    issued
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_issued_anew_when_it_was_closed_or_has_expired() {
        let minute = 60_000;
        for (requests, expected) in [
            (&[("POST", 0), ("POST", 1)][..], 1),
            (&[("POST", 0), ("POST", 59 * minute), ("POST", 118 * minute)], 1),
            (&[("POST", 0), ("POST", 60 * minute)], 2),
            (&[("POST", 0), ("PUT", 30 * minute), ("POST", 89 * minute)], 1),
            (&[("POST", 0), ("DELETE", 1), ("POST", 2)], 2),
            (&[("PUT", 0)], 0),
        ] {
            let records: Vec<_> = requests
                .iter()
                .map(|(method, at_ms)| RequestRecord {
                    seq: 1,
                    at_ms: *at_ms,
                    method: (*method).to_owned(),
                    path: PATH.to_owned(),
                    params: Vec::new(),
                    key: Some("owner".to_owned()),
                    status: 200,
                    code: None,
                    weight: 2,
                    user_agent: None,
                    faults: Vec::new(),
                })
                .collect();
            assert_eq!(issued(records.iter()), expected, "{requests:?}");
        }
    }
}
