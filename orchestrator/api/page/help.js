// The dialog of keys, which "?" opens.
//
// Exports (stable):
//   openHelp()

import { hasToken } from "./api.js";
import { el, replace } from "./dom.js";
import { bound } from "./keys.js";
import * as store from "./store.js";
import { forgetToken } from "./token.js";

const NAMES = { " ": "Space", Escape: "Esc", ArrowLeft: "←", ArrowRight: "→", Enter: "Enter" };
let box = null;

export function openHelp() {
  if (!box) {
    box = el("dialog", { "aria-labelledby": "help-title" });
    document.body.append(box);
  }
  replace(
    box,
    el("h2", { id: "help-title" }, "Keys"),
    el(
      "dl",
      { class: "keys" },
      bound().map(({ key, says }) => el("div", null, el("dt", null, el("kbd", null, NAMES[key] ?? key)), el("dd", null, says))),
    ),
    about(),
    el(
      "div",
      { class: "row end" },
      hasToken() && el("button", { type: "button", on: { click: forgetToken } }, "Forget the token"),
      el("button", { type: "button", class: "primary", autofocus: true, on: { click: () => box.close() } }, "Close"),
    ),
  );
  box.showModal();
}

function about() {
  const facts = store.facts();
  if (!facts) return null;
  return el("p", { class: "muted" }, `orchestrator ${facts.version} · epoch ${facts.epoch} · row ${facts.seq}`);
}
