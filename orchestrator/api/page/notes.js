// What a person must know before believing the view: one line each, above it.
//
// Exports (stable):
//   notes()            a list that keeps itself right

import { onToken, tokenState } from "./api.js";
import { el, replace } from "./dom.js";
import { where } from "./routes.js";
import * as store from "./store.js";
import { onStatus, retry, status } from "./stream.js";
import { moment } from "./times.js";
import { askForToken } from "./token.js";

let version = null;

export function notes() {
  const list = el("ul", { class: "notes", "aria-label": "Notes on this fleet" });
  let drawn = "";
  const draw = () => {
    const lines = all();
    const text = JSON.stringify(lines.map(({ tone, text: says, at }) => [tone, says, at]));
    if (text === drawn) return;
    drawn = text;
    list.hidden = lines.length === 0;
    replace(list, lines.map(line));
  };
  store.subscribe((news) => news.facts && draw());
  onStatus(draw);
  onToken(draw);
  addEventListener("hashchange", draw);
  draw();
  return list;
}

function all() {
  const lines = [];
  const { state, why } = status();
  if (["needed", "refused"].includes(tokenState())) {
    // Where there is no fleet to show, its view says this in its own place.
    const isSaid = where().view === "fleet" && !store.loaded();
    if (!isSaid) lines.push({ tone: "warn", text: "The operator tells nothing more without a token.", act: enter });
  } else if (state === "disconnected" && store.loaded()) {
    lines.push({ tone: "bad", text: `What you see is old. ${why} Trying again by itself.`, act: again });
  }
  const facts = store.facts();
  if (facts) lines.push(...told(facts));
  return lines;
}

function line({ tone, text, at, act }) {
  const rest = at ? ["; it took over ", moment(at), "."] : null;
  return el("li", { class: tone }, el("span", null, text, rest), act?.());
}

function enter() {
  return el("button", { type: "button", class: "small", on: { click: askForToken } }, "Enter a token");
}

function again() {
  return el("button", { type: "button", class: "small", on: { click: retry } }, "Try now");
}

function told(facts) {
  const lines = [];
  version ??= facts.version;
  if (facts.version !== version) {
    const load = () => el("button", { type: "button", class: "small", on: { click: () => location.reload() } }, "Load it again");
    lines.push({ tone: "warn", text: `The operator is now version ${facts.version}; this page came with ${version}.`, act: load });
  }
  if (facts.role === "standby") {
    const leads = facts.leader ? `${facts.leader} leads` : "Nobody is known to lead.";
    lines.push({ tone: "calm", text: `This is a standby. ${leads}`, at: facts.leader_since });
  } else if (facts.leader) {
    lines.push({ tone: "calm", text: `This operator leads, as ${facts.leader}`, at: facts.leader_since });
  }
  if (facts.journal_error) lines.push({ tone: "bad", text: `Nothing can be recorded: ${facts.journal_error}` });
  if (!facts.observed) lines.push({ tone: "warn", text: "The platform has not been looked at yet; phases are as they were last known." });
  if (facts.violations) lines.push({ tone: "bad", text: `${facts.violations} invariants did not hold. Please report this.` });
  if (facts.hook_failures) lines.push({ tone: "warn", text: `Hooks have failed ${times(facts.hook_failures)}; the operator's log says how.` });
  const strangers = facts.strangers?.length ?? 0;
  if (strangers) {
    const names = facts.strangers.slice(0, 5).join(", ") + (strangers > 5 ? ", …" : "");
    lines.push({ tone: "warn", text: `Not of this fleet, and left alone: ${names}` });
  }
  return lines;
}

function times(count) {
  return count === 1 ? "once" : `${count} times`;
}
