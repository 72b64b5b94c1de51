//! Which message brought about which.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cassette::{Direction, Leg};

/// Follows the messages of a tape and tells the cause of each.
///
/// An answer is caused by the request of its id on the same wire, a decision by the agent's request of its id. A call that a gateway passes on is caused by the
/// oldest open call of the agent with the same tool; a request to the exchange by the open call, when there is only
/// one. Where several could be the cause, none is told.
#[derive(Debug, Default)]
pub struct Causes {
    open: BTreeMap<(Leg, String), Open>,
}

#[derive(Debug)]
struct Open {
    seq: u64,
    tool: Option<String>,
    passed_on: bool,
}

impl Causes {
    /// Takes note of a message and gives the `seq` of its cause.
    pub fn of(&mut self, seq: u64, leg: Leg, dir: Direction, frame: &[u8]) -> Option<u64> {
        let value: Option<Value> = serde_json::from_slice(frame).ok();
        let id = value.as_ref().and_then(|value| value.get("id")).filter(|id| !id.is_null()).map(Value::to_string);
        let asks = value.as_ref().is_some_and(|value| value.get("method").is_some());
        match dir {
            // A decision is told under the id of the agent's request.
            _ if leg == Leg::Decision => self.open.get(&(Leg::Agent, id?)).map(|open| open.seq),
            Direction::Back if !asks => self.open.remove(&(leg, id?)).map(|open| open.seq),
            Direction::Back => None,
            Direction::Out => {
                let tool = value.as_ref().and_then(|value| value.pointer("/params/name")).and_then(Value::as_str);
                let cause = self.of_request(leg, tool);
                if let (Some(id), true) = (id, asks) {
                    let open = Open { seq, tool: tool.map(ToOwned::to_owned), passed_on: false };
                    self.open.insert((leg, id), open);
                }
                cause
            }
        }
    }

    fn of_request(&mut self, leg: Leg, tool: Option<&str>) -> Option<u64> {
        match leg {
            Leg::Agent | Leg::Ws | Leg::Decision => None,
            Leg::Upstream => {
                let fits = |open: &&mut Open| tool.is_some() && open.tool.as_deref() == tool && !open.passed_on;
                let agents = self.open.iter_mut().filter(|((leg, _), _)| *leg == Leg::Agent).map(|(_, open)| open);
                let oldest = agents.filter(fits).min_by_key(|open| open.seq)?;
                oldest.passed_on = true;
                Some(oldest.seq)
            }
            Leg::Rest => {
                let calls = |of: Leg| {
                    let mut calls = self.open.iter().filter(|((leg, _), open)| *leg == of && open.tool.is_some());
                    let first = calls.next().map(|(_, open)| open.seq);
                    first.filter(|_| calls.next().is_none())
                };
                // Behind a gateway the call that it passed on is nearer than the agent's.
                if self.open.keys().any(|(leg, _)| *leg == Leg::Upstream) {
                    calls(Leg::Upstream)
                } else {
                    calls(Leg::Agent)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use Direction::{Back, Out};
    use Leg::{Agent, Rest, Upstream};

    use super::*;

    fn call(id: u64, tool: &str) -> String {
        format!(r#"{{"id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
    }

    #[test]
    fn a_call_is_followed_to_the_exchange_and_back() {
        let mut causes = Causes::default();
        let mut seq = 0;
        let mut say = |leg, dir, frame: &str| {
            seq += 1;
            causes.of(seq, leg, dir, frame.as_bytes())
        };
        assert_eq!(say(Agent, Out, &call(7, "a")), None);
        assert_eq!(say(Leg::Decision, Out, r#"{"id":7,"method":"tools/call","tool":"a"}"#), Some(1));
        assert_eq!(say(Upstream, Out, &call(1, "a")), Some(1));
        assert_eq!(say(Rest, Out, r#"{"id":1,"method":"GET","target":"/x"}"#), Some(3));
        assert_eq!(say(Rest, Back, r#"{"id":1,"status":200}"#), Some(4));
        assert_eq!(say(Upstream, Back, r#"{"id":1,"result":{}}"#), Some(3));
        assert_eq!(say(Agent, Back, r#"{"id":7,"result":{}}"#), Some(1));
        assert_eq!(say(Agent, Back, r#"{"id":7,"result":{}}"#), None, "an answer to nothing");
    }

    #[test]
    fn of_several_that_could_be_it_none_is_told() {
        let mut causes = Causes::default();
        causes.of(1, Leg::Agent, Direction::Out, call(1, "a").as_bytes());
        causes.of(2, Leg::Agent, Direction::Out, call(2, "a").as_bytes());
        assert_eq!(causes.of(3, Leg::Rest, Direction::Out, br#"{"id":1,"method":"GET"}"#), None);
        assert_eq!(causes.of(4, Leg::Upstream, Direction::Out, call(8, "a").as_bytes()), Some(1));
        assert_eq!(causes.of(5, Leg::Upstream, Direction::Out, call(9, "a").as_bytes()), Some(2));
        assert_eq!(causes.of(6, Leg::Upstream, Direction::Out, call(10, "a").as_bytes()), None);
    }
}
