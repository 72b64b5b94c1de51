// Brings the page up to date every two seconds, unless somebody is using a form in it. Without it, reload by hand.
"use strict";
const main = document.querySelector("main");
const live = document.querySelector("#live");
let shown = "";
async function refresh() {
  try {
    const answer = await fetch("/part");
    if (answer.status === 401) {
      location.assign("/login");
    } else if (answer.ok) {
      const text = await answer.text();
      const busy = main.contains(document.activeElement) && document.activeElement.matches("input, button");
      if (text !== shown && !busy) {
        shown = text;
        const part = new DOMParser().parseFromString(text, "text/html");
        main.replaceChildren(...part.body.childNodes);
      }
      live.textContent = "up to date";
    }
  } catch {
    live.textContent = "the gateway does not answer";
  }
}
setInterval(refresh, 2000);
refresh();
