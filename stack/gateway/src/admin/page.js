// Brings the page up to date every two seconds. Without it, reload by hand.
"use strict";
const main = document.querySelector("main");
const live = document.querySelector("#live");
const name = document.title;

// What somebody writes in, marks or stands on stays the thing that it is; only the times beside it are brought up to date.
function inUse(part) {
  const written = [...part.querySelectorAll("input:not([type=hidden])")].some(input => input.value !== "");
  const marked = getSelection();
  return written || part.contains(document.activeElement) || (!marked.isCollapsed && part.contains(marked.anchorNode));
}

function show(parts) {
  const wanted = parts.map(part => {
    const old = part.id && document.getElementById(part.id);
    if (!old || !(old.isEqualNode(part) || (old.matches("article") && inUse(old)))) {
      return part;
    }
    old.querySelector(".left")?.replaceWith(part.querySelector(".left"));
    return old;
  });
  for (const old of [...main.children]) {
    if (!wanted.includes(old)) {
      old.remove();
    }
  }
  // Nothing that stays is moved, since what is moved loses the focus.
  let place = main.firstElementChild;
  for (const part of wanted) {
    if (part === place) {
      place = place.nextElementSibling;
    } else {
      main.insertBefore(part, place);
    }
  }
  const waiting = main.querySelectorAll("article").length;
  document.title = waiting ? `(${waiting}) ${name}` : name;
}

async function refresh() {
  let said = "the gateway does not answer";
  try {
    const answer = await fetch("/part");
    if (answer.status === 401) {
      location.assign("/login");
    } else if (answer.ok) {
      const part = new DOMParser().parseFromString(await answer.text(), "text/html");
      show([...part.body.children]);
      said = "up to date";
    }
  } catch {
    // Said below.
  }
  if (live.textContent !== said) {
    live.textContent = said;
  }
}
setInterval(refresh, 2000);
refresh();
