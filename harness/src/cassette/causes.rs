//! Which message brought about which.

use std::collections::BTreeMap;

use serde_json::Value;

use super::format::{Direction, Leg};

/// So many requests are followed at most; the oldest of them that nobody has answered are let go. A tape may be long.
const OPEN_MAX: usize = 4_096;

/// Follows the messages of a tape and tells the cause of each.
///
/// An answer is caused by the request of its id on the same wire, a decision by the agent's request of its id. A call that
/// a gateway passes on is caused by the oldest open call of the agent with the same tool; a request to the exchange by the
/// open call, when there is only one. Where several could be the cause, none is told. Of several agents each has ids of its
/// own, and only the exchange does not know them apart.
#[derive(Debug, Default)]
pub(super) struct Causes {
    open: BTreeMap<(Leg, Option<String>, String), Open>,
}

#[derive(Debug)]
struct Open {
    seq: u64,
    tool: Option<String>,
    passed_on: bool,
}

impl Causes {
    /// Takes note of a message, which is nothing when it is no JSON, and gives the `seq` of its cause.
    pub(super) fn of(
        &mut self,
        seq: u64,
        leg: Leg,
        dir: Direction,
        agent: Option<&str>,
        message: Option<&Value>,
    ) -> Option<u64> {
        let named = |leg, id| (leg, agent.map(ToOwned::to_owned), id);
        let id = message.and_then(|message| message.get("id")).filter(|id| !id.is_null()).map(Value::to_string);
        let asks = message.is_some_and(|message| message.get("method").is_some());
        match dir {
            // A decision is told under the id of the agent's request.
            _ if leg == Leg::Decision => self.open.get(&named(Leg::Agent, id?)).map(|open| open.seq),
            Direction::Back if !asks => self.open.remove(&named(leg, id?)).map(|open| open.seq),
            Direction::Back => None,
            Direction::Out => {
                let tool = message.and_then(|message| message.pointer("/params/name")).and_then(Value::as_str);
                let cause = self.of_request(leg, agent, tool);
                if let (Some(id), true) = (id, asks) {
                    let open = Open { seq, tool: tool.map(ToOwned::to_owned), passed_on: false };
                    self.open.insert(named(leg, id), open);
                    if self.open.len() > OPEN_MAX {
                        self.let_go();
                    }
                }
                cause
            }
        }
    }

    /// Follows the older half of the requests no longer, so that looking for them costs each little.
    fn let_go(&mut self) {
        let mut seqs: Vec<u64> = self.open.values().map(|open| open.seq).collect();
        let middle = seqs.len() / 2;
        let (_, oldest_kept, _) = seqs.select_nth_unstable(middle);
        let oldest_kept = *oldest_kept;
        self.open.retain(|_, open| open.seq >= oldest_kept);
    }

    fn of_request(&mut self, leg: Leg, agent: Option<&str>, tool: Option<&str>) -> Option<u64> {
        match leg {
            Leg::Agent | Leg::Ws | Leg::Decision => None,
            Leg::Upstream => {
                let fits = |open: &&mut Open| tool.is_some() && open.tool.as_deref() == tool && !open.passed_on;
                let own = |leg: Leg, of: &Option<String>| leg == Leg::Agent && of.as_deref() == agent;
                let agents = self.open.iter_mut().filter(|((leg, of, _), _)| own(*leg, of)).map(|(_, open)| open);
                let oldest = agents.filter(fits).min_by_key(|open| open.seq)?;
                oldest.passed_on = true;
                Some(oldest.seq)
            }
            Leg::Rest => {
                let calls = |of: Leg| {
                    let mut calls = self.open.iter().filter(|((leg, _, _), open)| *leg == of && open.tool.is_some());
                    let first = calls.next().map(|(_, open)| open.seq);
                    first.filter(|_| calls.next().is_none())
                };
                // Behind a gateway the call that it passed on is nearer than the agent's.
                if self.open.keys().any(|(leg, _, _)| *leg == Leg::Upstream) {
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
            causes.of(seq, leg, dir, None, serde_json::from_str(frame).ok().as_ref())
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
    fn requests_that_nobody_answers_are_let_go() {
        let mut causes = Causes::default();
        let count = 3 * OPEN_MAX as u64;
        for id in 1..=count {
            let message = serde_json::from_str(&call(id, "a")).unwrap();
            assert_eq!(causes.of(id, Agent, Out, None, Some(&message)), None);
            assert!(causes.open.len() <= OPEN_MAX);
        }
        let mut answered = |id: u64| {
            let answer = serde_json::json!({ "id": id, "result": {} });
            causes.of(count + id, Agent, Back, None, Some(&answer))
        };
        assert_eq!((answered(1), answered(count - 1_000)), (None, Some(count - 1_000)));
    }

    #[test]
    fn of_several_that_could_be_it_none_is_told() {
        let mut causes = Causes::default();
        let mut of = |seq, leg, frame: &str| causes.of(seq, leg, Out, None, serde_json::from_str(frame).ok().as_ref());
        of(1, Agent, &call(1, "a"));
        of(2, Agent, &call(2, "a"));
        assert_eq!(of(3, Rest, r#"{"id":1,"method":"GET"}"#), None);
        assert_eq!(of(4, Upstream, &call(8, "a")), Some(1));
        assert_eq!(of(5, Upstream, &call(9, "a")), Some(2));
        assert_eq!(of(6, Upstream, &call(10, "a")), None);
        assert_eq!(of(7, Agent, "no JSON"), None);
    }
    #[test]
    fn agents_with_equal_ids_are_told_apart() {
        let mut causes = Causes::default();
        let mut of = |seq, leg, dir, agent, frame: &str| {
            causes.of(seq, leg, dir, agent, serde_json::from_str(frame).ok().as_ref())
        };
        of(1, Agent, Out, None, &call(1, "a"));
        of(2, Agent, Out, Some("other"), &call(1, "a"));
        assert_eq!(of(3, Leg::Decision, Out, Some("other"), r#"{"id":1,"tool":"a"}"#), Some(2));
        assert_eq!(of(4, Upstream, Out, Some("other"), &call(1, "a")), Some(2));
        assert_eq!(of(5, Upstream, Out, None, &call(1, "a")), Some(1));
        assert_eq!(of(6, Agent, Back, Some("other"), r#"{"id":1,"result":{}}"#), Some(2));
        assert_eq!(of(7, Agent, Back, None, r#"{"id":1,"result":{}}"#), Some(1));
    }
}
