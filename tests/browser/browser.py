"""A Chromium of our own, without a window, and what is asked of any page in it."""

import base64
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 20

# Whatever can be reached with Tab. What is folded away cannot.
STOPS = """
const folded = element => {
  const details = element.parentElement.closest("details:not([open])");
  return details && element !== details.querySelector(":scope > summary");
};
const stops = [...document.querySelectorAll("a[href], summary, button, input:not([type=hidden])")].filter(e => !folded(e));
"""

# WCAG 2, 1.4.3: 4.5 to 1, and 3 to 1 for large text. Colours are laid over what is behind them, opacity included.
CONTRAST = """
const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length === 3 ? [...n, 1] : n; };
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
const light = rgb => {
  const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
const grounds = new Map();
const ground = element => {
  if (!element) return canvas;
  if (!grounds.has(element)) {
    grounds.set(element, over(parse(getComputedStyle(element).backgroundColor), ground(element.parentElement)));
  }
  return grounds.get(element);
};
const faded = element => element ? Number(getComputedStyle(element).opacity) * faded(element.parentElement) : 1;
const poor = new Map();
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data).join("").trim();
  if (!own || element.closest("svg, script, style") || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const behind = ground(element);
  const ink = parse(style.color);
  const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * faded(element)], behind)), light(behind)];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) {
    const name = element.tagName.toLowerCase() + (element.className ? "." + element.className : "");
    poor.set(name, `${name} has a contrast of ${ratio.toFixed(2)}: ${own.slice(0, 40)}`);
  }
}
return [...poor.values()];
"""

# What reaches further right than the page is wide, and is not cut off or scrolled by a box of its own.
WIDE = """
const wide = [];
if (document.documentElement.scrollWidth > innerWidth) {
  for (const element of document.querySelectorAll("body *")) {
    if (element.getBoundingClientRect().right > innerWidth + 1) {
      wide.push(`${element.tagName.toLowerCase()}: ${element.textContent.trim().slice(0, 60)}`);
    }
  }
  wide.push(`the page is ${document.documentElement.scrollWidth} wide`);
}
return wide.slice(-3);
"""


class Page:
    """One page in the browser, and what became of it there."""

    def __init__(self, driver, pictures):
        self.driver = driver
        self.pictures = Path(pictures)

    def look(self, width, scheme, height=900):
        """How wide the window is, and whether its owner likes it light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", metrics)
        # Scrolling that takes its time would be photographed halfway.
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.command("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}, calm]})

    def command(self, name, parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def open(self, url):
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get(url)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def key(self, name, code, shift=False):
        text = "\r" if name == "Enter" else ""
        key = {"key": name, "code": name, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.command("Input.dispatchKeyEvent", {"type": "keyDown", "text": text, **key})
        self.command("Input.dispatchKeyEvent", {"type": "keyUp", **key})

    def tab(self):
        self.key("Tab", 9)

    def enter(self):
        self.key("Enter", 13)

    def until(self, what, told):
        """Waits until a piece of JavaScript comes to something, and returns it."""
        wait = WebDriverWait(self.driver, WAIT_S, poll_frequency=0.05)
        return wait.until(lambda driver: driver.execute_script(f"return {what}"), f"not seen in {WAIT_S} s: {told}")

    def picture(self, name):
        self.pictures.mkdir(parents=True, exist_ok=True)
        path = self.pictures / f"{name}.png"
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", {"format": "png"})["data"]))
        return path

    def pdf(self):
        printed = self.command("Page.printToPDF", {"printBackground": True, "transferMode": "ReturnAsBase64"})
        return base64.b64decode(printed["data"])

    def requests(self):
        """The addresses that the page asked for since it was opened."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]

    def faults(self, home):
        """What is wrong with any page, whatever it shows: it has to ask for nothing beyond `home`."""
        found = [f"console: {entry['message']}" for entry in self.driver.get_log("browser")]
        found += [f"asks for {url}" for url in self.requests() if not url.startswith(home)]
        found += [f"too wide: {wide}" for wide in self.script(WIDE)]
        found += [f"contrast: {poor}" for poor in self.script(CONTRAST)]
        # Chromium's own computation takes minutes on a page of a thousand links, whose names are their texts.
        nameless = """
            const name = e => stops.length > 200 && ["A", "SUMMARY"].includes(e.tagName) ? e.innerText : e.computedName;
            return stops.filter(e => !name(e).trim()).map(e => e.outerHTML.slice(0, 80));
        """
        found += [f"without a name: {markup}" for markup in self.script(STOPS + nameless)]
        return found

    def dead_links(self):
        """Links within the page that lead nowhere, and ids that stand for two things."""
        return self.script("""
            const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
            const twice = ids.filter((id, place) => ids.indexOf(id) !== place).map(id => `two things are called ${id}`);
            const known = new Set(ids);
            const links = [...document.querySelectorAll("a[href^='#']")].map(link => decodeURIComponent(link.hash.slice(1)));
            return [...twice, ...links.filter(id => !known.has(id)).map(id => `a link leads to #${id}, which is nowhere`)];
        """)


@contextmanager
def page(pictures):
    """A fresh browser that reaches nothing but the loopback."""
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for argument in [
        "--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server",
        "--enable-blink-features=ComputedAccessibilityInfo", "--force-color-profile=srgb",
    ]:
        options.add_argument(argument)
    if os.geteuid() == 0:
        # Chromium's sandbox refuses to be root, which people in containers are.
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")))
    try:
        driver.set_page_load_timeout(60)
        yield Page(driver, pictures)
    finally:
        driver.quit()


def demand(found, what):
    """Ends with exit code 1 if anything was found."""
    if found:
        print(f"error: {what}:", *found[:20], sep="\n  ", file=sys.stderr)
        sys.exit(1)
