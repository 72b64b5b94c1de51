"""The page of `rogue run --report` as its readers have it.

Usage: report_page.py FOLDER SMALL PICTURES

FOLDER and SMALL hold `index.html` and `report.json` of a run, of all scenarios and of a few. Each check is first seen to find what it looks for, in copies of the
page that are broken on purpose.
"""

import json
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from browser import STOPS, demand, page

OPENED_MAX = 30

# What is broken on purpose, and what has to be said of it.
BROKEN = [
    ("</main>", "<script>console.error('x')</script></main>", "console:"),
    ("</main>", "<img alt=x src='http://127.0.0.1:9/x.png'></main>", "asks for"),
    ("</main>", "<p style='width:3000px'>x</p></main>", "too wide:"),
    ("</main>", "<p style='color:#999;background:#fff'>x</p></main>", "contrast:"),
    ("</main>", "<button></button></main>", "without a name:"),
    ("</main>", "<a href='#nowhere'>x</a></main>", "which is nowhere"),
    ("</main>", "<p id=scenarios>x</p></main>", "two things are called"),
    (" of ", " out of ", "is not on the page"),
    ("✓ held", "✗ breached", "verdict"),
    ("<summary>", "<summary tabindex=-1>", "Tab"),
    ("<details>", "<details ontoggle='this.open=false'>", "Enter"),
    ("block-size: auto; }", "} .calls { display: none; }", "printed"),
]


def money(value):
    return f"{value.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def totals(told, role):
    """What all rogue agents did together, in the words of the page."""
    runs = [run for one in told["scenarios"] if one["kind"] == "attack" for run in one["runs"] if run["role"] == role]
    total = lambda name: sum((Decimal(run["damage"][name]) for run in runs), Decimal(0))
    orders, lost = total("orders"), total("loss_usdt")
    words = [f"{orders:,} order{'' if orders == 1 else 's'} worth {money(total('notional'))} USDT"] if orders else []
    return words + ([f"{money(lost)} USDT lost"] if lost >= Decimal("0.01") else [])


def figures(shown, told):
    """Figures on the page are those of the report for machines."""
    summary = told["summary"]
    text = shown.script("return document.querySelector('.tiles').innerText.replace(/\\s+/g, ' ')")
    expected = [f"{summary[kind]['passed']:,} of {summary[kind]['total']:,}" for kind in summary if summary[kind]["total"]]
    expected += totals(told, "control") + totals(told, "protected")
    found = [f"`{figure}` is not on the page" for figure in expected if figure not in text]
    rows = shown.script("""
        const rows = [...document.querySelectorAll(".index tbody tr")].filter(row => row.querySelector(".badge"));
        return rows.map(row => [row.querySelector("a").hash.slice(1), row.querySelector(".badge").innerText.slice(2)]);
    """)
    verdicts = {one["id"]: one["verdict"]["is"] for one in told["scenarios"]}
    if len(rows) != len(verdicts):
        found.append(f"{len(rows)} verdicts for {len(verdicts)} scenarios")
    return found + [f"the verdict of {name} is {is_} on the page" for name, is_ in rows if verdicts.get(name) != is_]


def keyboard(shown):
    """Tab comes by everything in the order of the page, and Enter opens what is folded."""
    kinds = shown.script(STOPS + """
        window.visited = [];
        window.stops = stops;
        addEventListener("click", event => event.target.closest("a") && event.preventDefault());
        addEventListener("focusin", event => event.target !== document.body && visited.push(stops.indexOf(event.target)));
        document.body.tabIndex = -1; document.body.focus(); visited.length = 0;
        return stops.map(e => e.tagName === "SUMMARY" && !e.parentElement.open);
    """)
    # Each that is opened is laid out, which on a page of four hundred takes its time.
    opened = [at for at, folded in enumerate(kinds) if folded][:OPENED_MAX]
    for at in range(len(kinds)):
        shown.tab()
        if at in opened:
            shown.enter()
    visited, shut = shown.script("""
        const shut = arguments[0].map(at => stops[at]).filter(e => !e.parentElement.open);
        return [visited, shut.map(e => e.innerText)];
    """, opened)
    wrong = [at for at, stop in enumerate(visited) if at != stop]
    found = [f"Tab comes to {visited[wrong[0]]} after {wrong[0]} steps"] if wrong else []
    if len(visited) != len(kinds):
        found.append(f"Tab comes by {len(visited)} of {len(kinds)} things")
    return found + [f"Enter does not open `{summary}`" for summary in shut]


def paper(shown):
    """Printing shows what is folded away on a screen."""
    shown.command("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = shown.script("return [...document.querySelectorAll('.calls')].filter(e => e.getBoundingClientRect().height < 20).length")
    shown.command("Emulation.setEmulatedMedia", {"media": ""})
    found = [f"{hidden} tables are not printed"] if hidden else []
    return found if shown.pdf().startswith(b"%PDF-") else found + ["what is printed is no PDF"]


def everything(shown, url, told, with_keys=True):
    shown.open(url)
    found = shown.faults(url.rsplit("/", 1)[0]) + shown.dead_links() + figures(shown, told)
    return found + (paper(shown) + keyboard(shown) if with_keys else [])


def seen_to_fail(shown, folder, told):
    """Breaks a copy of the page, with two scenarios, in every way, and holds that each is noticed."""
    html = (folder / "index.html").read_text()
    (folder / "broken").mkdir(exist_ok=True)
    for old, new, said in BROKEN:
        assert old in html, f"there is no `{old}` to break"
        copy = folder / "broken" / "index.html"
        copy.write_text(html.replace(old, new))
        shown.look(420, "light")
        found = everything(shown, copy.as_uri(), told)
        demand([] if any(said in one for one in found) else found or ["nothing at all"], f"`{new}` should lead to `{said}`, and leads to")


def main():
    folder, small, pictures = (Path(path).resolve() for path in sys.argv[1:4])
    told = json.loads((folder / "report.json").read_text())
    url = (folder / "index.html").as_uri()
    with page(pictures) as shown:
        shown.look(420, "dark")
        few = json.loads((small / "report.json").read_text())
        demand(everything(shown, (small / "index.html").as_uri(), few), "the report of a few scenarios")
        seen_to_fail(shown, small, few)
        for width in (420, 1280):
            for scheme in ("light", "dark"):
                shown.look(width, scheme)
                # Of the whole page the way by keyboard is one of a thousand steps, and the same at any width and colour.
                found = everything(shown, url, told, (width, scheme) == (1280, "light"))
                demand(found, f"the report, {width} wide, {scheme}")
                shown.open(url)
                shown.look(width, scheme)
                shown.picture(f"report-{width}-{scheme}")
                shown.script("document.querySelectorAll('article.card')[5].scrollIntoView()")
                shown.picture(f"card-{width}-{scheme}")
                shown.script("const d = document.querySelectorAll('article.card')[5].querySelectorAll('details')[1]; d.open = true; d.scrollIntoView()")
                shown.picture(f"calls-{width}-{scheme}")
        # As much as a reader of the README needs to see.
        shown.look(1280, "light", 720)
        shown.open(url)
        shown.picture("report")
    print(f"{len(BROKEN)} broken pages noticed; {len(told['scenarios'])} scenarios at 420 and 1280, light and dark: as it should be")


main()
