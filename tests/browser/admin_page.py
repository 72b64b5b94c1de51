"""The admin page of a gateway, used as a person does while an agent trades.

Usage: admin_page.py ADMIN-URL ADMIN-TOKEN MCP-URL AGENT-TOKEN PICTURES
"""

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from agent import Agent
from browser import demand, page

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.005", "price": "48000"}
REASON = "a person signs orders above 100"


def expect(is_, wanted, what):
    demand([] if is_ == wanted else [f"{is_!r} in place of {wanted!r}"], what)


class Person:
    def __init__(self, shown, url):
        self.shown = shown
        self.url = url

    def log_in(self, token):
        self.shown.until("document.querySelector('input[name=token]') !== null", "the login")
        self.type("input[name=token]", token)
        self.click("main form button")

    def type(self, selector, text):
        self.shown.driver.find_element("css selector", selector).send_keys(text)

    def click(self, selector):
        # Pages follow on clicks; a mark that is gone says that the next one is there.
        self.shown.script("window.before = true")
        self.shown.driver.find_element("css selector", selector).click()
        self.shown.until("!window.before && document.readyState === 'complete'", f"a page after a click on {selector}")

    def sees(self, text, where="main"):
        told = f"[...document.querySelectorAll({where!r})].some(e => e.innerText.includes({text!r}))"
        self.shown.until(told, f"`{text}` in {where}")

    def waits(self, count):
        """As many requests wait, which the page finds out by itself."""
        self.shown.until(f"document.querySelectorAll('article').length === {count}", f"{count} requests that wait")
        self.sees(f"Waiting for you ({count})", "h2")

    def decide(self, button, note):
        self.type("article input[name=by]", "ann")
        self.type("article input[name=note]", note)
        self.click(f"article button[value={button}]")

    def looked_at(self, what):
        for width in (420, 1280):
            for scheme in ("light", "dark"):
                self.shown.look(width, scheme)
                demand(self.shown.faults(self.url), f"{what}, {width} wide, {scheme}")
                self.shown.picture(f"admin-{what.replace(' ', '-')}-{width}-{scheme}")

    def sends_forged(self, form):
        """The answer to a form that its own page did not make."""
        return self.shown.driver.execute_async_script("""
            const [form, done] = arguments;
            const body = new URLSearchParams({ form, to: "on" });
            fetch("/kill", { method: "POST", body }).then(answer => done(answer.status), error => done(String(error)));
        """, form)


class Elsewhere(BaseHTTPRequestHandler):
    """A page of somebody else's on this machine, which sends a form here on its own."""

    target = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        form = f"<form method=post action='{self.target}kill'><input name=to value=on><input name=form value=x></form>"
        self.wfile.write(f"<!doctype html><title>x</title>{form}<script>document.forms[0].submit()</script>".encode())

    def log_message(self, *_):
        pass


def first_sight(person):
    shown = person.shown
    shown.open(person.url)
    person.log_in("not the token, but as long")
    person.sees("This is not the token")
    # A refused login is told in the console as well.
    shown.driver.get_log("browser")
    person.looked_at("login")


def main():
    url, token, mcp, agent_token, pictures = sys.argv[1:6]
    agent = Agent(mcp, agent_token)
    with page(Path(pictures)) as shown:
        person = Person(shown, url)
        first_sight(person)
        person.log_in(token)
        person.waits(0)
        person.looked_at("nothing asked yet")

        expect(agent.call("bn_new_order", ORDER), "approval_required", "a large order")
        person.waits(1)
        for name, value in ORDER.items():
            person.sees(f"{name}\n{value}", "article .order")
        for told in ("bn_new_order", REASON, "asked by\ndesk", "/tools/bn_new_order/approve_if/0"):
            person.sees(told, "article")
        shown.until("document.title.startsWith('(1) ')", "the number in the title")
        # What somebody is writing stays while another request comes, and the focus with it.
        person.type("article input[name=note]", "seen, ")
        expect(agent.call("bn_new_order", {**ORDER, "quantity": "0.006"}), "approval_required", "another large order")
        person.waits(2)
        shown.script("document.activeElement.setSelectionRange(99, 99)")
        expect(shown.script("return [document.activeElement.name, document.activeElement.value]"), ["note", "seen, "], "what was written")
        shown.script("document.activeElement.blur()")
        left = shown.script("return document.querySelector('article .left').innerText")
        shown.until(f"document.querySelector('article .left').innerText !== '{left}'", "the time goes on")
        expect(shown.script("return document.querySelector('article input[name=note]').value"), "seen, ", "what was written, without the focus")
        person.looked_at("two requests")
        person.decide("approve", "the size is right")
        person.sees("approved", "td")
        expect(agent.call("bn_new_order", ORDER), None, "the approved order, once")
        expect(agent.call("bn_new_order", ORDER), "approval_required", "the approved order, twice")
        person.waits(2)
        person.sees("consumed", "td.consumed")
        person.sees("seen, the size is right", "table")

        person.decide("deny", "too large for today")
        expect(agent.call("bn_new_order", {**ORDER, "quantity": "0.006"}), "approval_denied", "the denied order")
        person.sees("too large for today", "table")
        person.waits(1)
        shown.look(1280, "light", 1000)
        shown.picture("admin")

        expect(person.sends_forged("0" * 64), 403, "a form with a token that was guessed")
        Elsewhere.target = url
        server = HTTPServer(("127.0.0.1", 0), Elsewhere)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shown.driver.get(f"http://127.0.0.1:{server.server_port}/")
        person.sees("this page is called by its own name", "body")
        server.shutdown()
        expect(agent.call("bn_ping", {}), None, "a call after forged forms")

        shown.open(url)
        person.click("#switch button")
        person.sees("The kill switch is on", "[role=alert]")
        expect(agent.call("bn_ping", {}), "halted", "a call with the kill switch on")
        person.looked_at("halted")
        person.click("#switch button")
        expect(agent.call("bn_ping", {}), None, "a call with the kill switch off")
        person.click("header form button")
        shown.driver.get(url)
        person.sees("Log in", "h2")
    print("asked, approved, denied, halted and not deceived: as it should be")


main()
