// What can be done with a container: a button an action, a dialog that asks for a reason
// and shows the command that does the same, and what became of it. Who may only read
// sees none of it.

import { onToken } from "./api.js";
import { ACTIONS, commandOf } from "./commands.js";
import { copyButton } from "./copies.js";
import { el, replace, say, write } from "./dom.js";
import { again, asked, ofName, onOutcome } from "./outcomes.js";
import { badge } from "./phases.js";
import { href } from "./routes.js";
import { duration } from "./times.js";

const BY_KEY = "by";
const WHY_MAX = 500;
const SHOWN = 3;

// Mount it; `info()` is the container as the page knows it. Return `{show(may), stop()}`;
// `may`: "yes", "no" or "unknown".
export function mountActions(host, name, info) {
  const buttons = el("div", { class: "actions", role: "group", "aria-label": "Actions" });
  const outcomes = el("div", { class: "outcomes", role: "group", "aria-label": "What became of it" });
  const list = el("ul", { class: "commands" });
  const commands = el(
    "details",
    { class: "equivalents" },
    el("summary", {}, "The same on the command line"),
    list,
  );
  // A token may be given after this was built, and stands in the command.
  const listed = () => commands.open && replace(list, equivalents(name));
  commands.addEventListener("toggle", listed);
  let box = null;
  const readOnly = el("p", { class: "muted" }, "You may look at this fleet, not change it.");
  replace(
    buttons,
    ACTIONS.map((action) =>
      el(
        "button",
        {
          type: "button",
          class: action.danger ? "danger" : null,
          data: { action: action.id },
          on: {
            click: () => {
              box = dialog(action, name, info);
            },
          },
        },
        `${action.word}…`,
      ),
    ),
  );
  replace(host, buttons, readOnly, outcomes, commands);
  const render = () => replace(outcomes, ofName(name).slice(0, SHOWN).map(outcomeCard));
  const off = onOutcome((whose, outcome) => {
    if (whose !== name) return;
    render();
    said(outcome);
  });
  const offToken = onToken(listed);
  render();
  return {
    show(may) {
      buttons.hidden = may !== "yes";
      commands.hidden = may !== "yes";
      readOnly.hidden = may !== "no";
    },
    // Who goes elsewhere acts no more on what is left behind.
    stop() {
      off();
      offToken();
      box?.close();
    },
  };
}

function equivalents(name) {
  return ACTIONS.map((action) => {
    const text = commandOf(action, name, "");
    return el("li", {}, el("code", {}, text), copyButton(() => text, `Copy the command: ${action.word}`));
  });
}

// Ask for a reason, and act on it; return the dialog, which is shown.
function dialog(action, name, info) {
  const title = `${action.word} ${name}`;
  const why = el(
    "textarea",
    { id: "action-why", rows: 2, maxlength: WHY_MAX, placeholder: "kept in the journal, shown by explain" },
  );
  const by = el(
    "input",
    {
      id: "action-by",
      type: "text",
      maxlength: 100,
      placeholder: "owner",
      autocomplete: "nickname",
      spellcheck: "false",
    },
  );
  by.value = remembered();
  const code = el("code", {}, commandOf(action, name, ""));
  const text = () => commandOf(action, name, why.value.trim());
  const box = el("dialog", { class: "ask", "aria-labelledby": "action-title" });
  const close = () => box.close();
  const form = el(
    "form",
    {},
    el("h2", { id: "action-title" }, title),
    el("p", {}, action.says),
    el("label", { for: "action-why" }, "Why?"),
    why,
    el("label", { for: "action-by" }, "Your name"),
    by,
    el("div", { class: "command" }, code, copyButton(text, "Copy the command")),
    el("p", { class: "muted fine" }, "The command takes no name: it sends that of who is logged in there."),
    el(
      "div",
      { class: "strip end" },
      el("button", { type: "button", on: { click: close } }, "Cancel"),
      el("button", { type: "submit", class: action.danger ? "danger primary" : "primary" }, action.word),
    ),
  );
  why.addEventListener("input", () => write(code, text()));
  why.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = { by: by.value.trim() || "owner", why: why.value.trim() };
    remember(by.value.trim());
    close();
    void asked(action, info() ?? { name, run: 0 }, words);
  });
  box.addEventListener("close", () => box.remove());
  box.append(form);
  document.body.append(box);
  box.showModal();
  why.focus();
  return box;
}

function outcomeCard(outcome) {
  return el(
    "section",
    { class: `outcome ${toneOf(outcome)}`, data: { state: outcome.state, action: outcome.action.id } },
    el("h3", {}, el("span", { "aria-hidden": "true" }, `${glyphOf(outcome)} `), headline(outcome)),
    outcome.words.why ? el("p", { class: "muted fine" }, `Reason: ${outcome.words.why}`) : null,
    bodyOf(outcome),
  );
}

function toneOf(outcome) {
  if (outcome.state === "refused") return "bad";
  if (outcome.state === "unreachable") return "warn";
  return outcome.ended?.tone ?? "busy";
}

function glyphOf(outcome) {
  return { ok: "✓", bad: "✕", warn: "?", busy: "◌" }[toneOf(outcome)];
}

function headline(outcome) {
  const word = outcome.action.word;
  switch (outcome.state) {
    case "asking":
      return `${word}: asking the operator …`;
    case "refused":
      return `${word}: refused`;
    case "unreachable":
      return `${word}: no answer`;
    default:
      if (outcome.ended === null) return `${word}: accepted, under way`;
      return outcome.ended.tone === "bad" ? `${word}: accepted, but it failed` : `${word}: done`;
  }
}

function bodyOf(outcome) {
  if (outcome.state === "asking") return null;
  if (outcome.state === "refused") {
    return el("p", {}, outcome.message, " ", el("code", { class: "fine" }, outcome.code));
  }
  if (outcome.state === "unreachable") {
    return [
      el(
        "p",
        {},
        "It is not known whether the request arrived. Trying again carries the same key, so nothing is done twice.",
      ),
      el("p", { class: "fine" }, outcome.message),
      el("button", { type: "button", on: { click: () => void again(outcome) } }, "Try again"),
    ];
  }
  const row = outcome.seq === null
    ? outcome.replayed && el("p", { class: "fine" }, "It had been accepted before.")
    : el(
      "p",
      { class: "fine" },
      "Accepted as ",
      el("a", { href: href("past", { at: outcome.seq }) }, `row ${outcome.seq}`),
      " of the journal.",
    );
  return [
    row,
    steps(outcome),
    outcome.ended === null ? null : el("p", { class: "outcome-end" }, outcome.ended.text),
  ];
}

function steps(outcome) {
  if (outcome.steps.length === 0) return null;
  const first = outcome.steps[0].at;
  return el(
    "ol",
    { class: "steps" },
    outcome.steps.map(({ at, info }) =>
      el(
        "li",
        {},
        badge(info),
        el(
          "span",
          { class: "muted fine" },
          ` run ${info.run}${at > first ? `, after ${duration(at - first)}` : ""}`,
        ),
      ),
    ),
  );
}

function said(outcome) {
  if (outcome.state === "refused") say(`${headline(outcome)}. ${outcome.message}`);
  else if (outcome.ended !== null) say(`${headline(outcome)}. ${outcome.ended.text}`);
  else say(headline(outcome));
}

function remembered() {
  try {
    return localStorage.getItem(BY_KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(text) {
  try {
    localStorage.setItem(BY_KEY, text);
  } catch {
    // Without storage it is asked for again.
  }
}
