//! What no JSON parser may take, by itself and as an argument of a call: the must-reject cases of `JSONTestSuite` (Nicolas
//! Seriot, MIT licence), from `tests/cases/not_json.jsonl`.
//!
//! A case has the bytes as `hex`; a long one repeats them `times` and ends with `after_hex`.

use serde::Deserialize;

use crate::support::Bench;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotJson {
    pub(crate) name: String,
    hex: String,
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    after_hex: String,
}

fn once() -> usize {
    1
}

impl NotJson {
    pub(crate) fn all() -> Vec<Self> {
        let lines = include_str!("../cases/not_json.jsonl").lines();
        let cases: Vec<Self> = lines.map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(cases.len(), 188, "every must-reject case of the suite");
        cases
    }

    /// The case alone, and where the value of an argument stands.
    pub(crate) fn frames(&self) -> [Vec<u8>; 2] {
        let bytes =
            [hex::decode(&self.hex).unwrap().repeat(self.times), hex::decode(&self.after_hex).unwrap()].concat();
        let before = br#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"echo","arguments":{"a":"#;
        let within = [before.as_slice(), &bytes, b"}}}"].concat();
        [bytes, within]
    }
}

#[tokio::test]
async fn what_is_no_json_is_refused_on_a_stream_and_never_reaches_the_server() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    for case in NotJson::all() {
        for frame in case.frames() {
            let recorded = bench.audit.len();
            rig.client.send_bytes(&frame).await;
            let told = rig.nothing_reached_the_server().await;
            // A line end within a case makes several frames of it, and a line of blanks is none.
            let lines = frame.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
            assert_eq!(told.len(), lines, "{}: {told:?}", case.name);
            for answer in told {
                let code = answer["error"]["code"].as_i64();
                assert!(matches!(code, Some(-32700 | -32600)), "{}: {answer}", case.name);
            }
            let audit = bench.audit();
            assert_eq!(audit.len(), recorded + lines, "{}", case.name);
            assert!(audit[recorded..].iter().all(|record| record["decision"] == "refuse"), "{}", case.name);
        }
    }
    crate::frames::honest_call(&mut rig).await;
}
