"""Writes what mcpsec found, class by class, as a page.

Usage: results.py OURS.json NOTHING.json OURS.log VERSION > docs/mcpsec.md
"""

import json
import sys
from collections import Counter


def classes(report):
    passed, total = Counter(), Counter()
    for case in report["attacks"]:
        passed[case["class"]] += case["passed"]
        total[case["class"]] += 1
    return {name: f"{passed[name]} of {total[name]}" for name in total}


ours, nothing = (json.load(open(path)) for path in sys.argv[1:3])
unknown = sum('"not_available"' in line for line in open(sys.argv[3]))
lost = ", ".join(case["attack_id"] for case in ours["attacks"] if not case["passed"])
print(f"""# mcpsec

[mcpsec](https://github.com/vellaveto/vellaveto/tree/main/mcpsec) {sys.argv[4]} is a suite of {ours["summary"]["total_tests"]} cases for
gateways, by the makers of one. It asks over HTTP what a gateway would say of a call. `just mcpsec` installs it, asks a real `mcp-gateway`
each case as MCP, with a server behind it that answers what the case wants answered, and writes this page. The
[policy](../stack/gateway/mcpsec/policy.json) is what we would write for a server of files, a database and HTTP: no other tools, three files,
one query, one address, sixty reads a minute, and answers that tell their reader what to do are withheld. (A first
policy without that last rule passed 49 of 64, and the rule was added after that was seen.) The files and the query are those that the suite itself takes for harmless, so that what it has in its answers meets the gateway and not a denial before.

The last column is what the suite makes of a program that hears nothing and answers `Deny` to everything.

| class | `mcp-gateway` | denies everything |
|---|---|---|""")
theirs = classes(nothing)
for name, passed in classes(ours).items():
    print(f"| {name} | {passed} | {theirs[name]} |")
score = lambda report: f"{report['overall_score']:.1f}, {report['tier_name']}"
passed = lambda report: f"{report['summary']['passed']} of {report['summary']['total_tests']}"
print(f"""| all | {passed(ours)} | {passed(nothing)} |
| its score and tier | {score(ours)} | {score(nothing)} |

What to make of it:

- **Where we lose**: {lost}.
  Secrets in prose, plain or encoded, pass: the gateway redacts fields by name and does not guess at what text means. The rule for text
  that speaks to the model is a sieve, and the suite has text that falls through. What a model that was talked round can then do is
  what the rest of the policy bounds.
- **What a pass means here**: little. {unknown} of the cases were denied because the tool is none that the policy names, among them those that
  call functions of the suite's own product for changed definitions, forged audits or elicitation. Pins, the audit chain and the other
  methods of MCP are not touched by them; tests of our own hold those.
- A denial counts as a success and there is one honest call among the cases, so what denies everything comes out on top. That is why the
  scenarios of this repository have a control that must do harm and a twin that must pass.""")
