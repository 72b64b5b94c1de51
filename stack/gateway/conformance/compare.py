"""Holds what the suite found through the gateway against what it found at the server itself, check by check."""

import json
import pathlib
import re
import sys


def checks(folder):
    """Every check of a run: the scenario, the check, which of that name it is, and what came of it."""
    found = {}
    for path in sorted(pathlib.Path(folder).glob("server-*/checks.json")):
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", path.parent.name)
        for check in json.loads(path.read_text()):
            again = sum(1 for known in found if known[:2] == (scenario, check["id"]))
            found[(scenario, check["id"], again)] = (check["status"], check.get("errorMessage") or "")
    return found


def main():
    direct, through = checks(sys.argv[1]), checks(sys.argv[2])
    scenarios = len({scenario for scenario, _, _ in direct})
    # Fewer would mean that the suite was not run.
    if scenarios < int(sys.argv[3]):
        sys.exit(f"{sys.argv[1]}: {scenarios} scenarios, not {sys.argv[3]}")
    wrong = [
        f"  {' '.join(map(str, key))}: {direct.get(key, ('absent', ''))} at the server, {through.get(key, ('absent', ''))} through the gateway"
        for key in sorted(direct.keys() | through.keys())
        if direct.get(key, ("absent",))[0] != through.get(key, ("absent",))[0]
    ]
    failed = [f"  {' '.join(map(str, key))}: {said}" for key, (status, said) in direct.items() if status in ("FAILURE", "WARNING")]
    if failed:
        sys.exit("the server itself fails:\n" + "\n".join(failed))
    if wrong:
        sys.exit("the gateway makes a difference:\n" + "\n".join(wrong))
    passed = sum(1 for status, _ in through.values() if status == "SUCCESS")
    print(f"{scenarios} scenarios, {len(through)} checks, {passed} passed: the same with and without the gateway")


main()
