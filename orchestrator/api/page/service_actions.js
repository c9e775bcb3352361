// What can be asked of a service: a button an action, each enabled only where it is
// possible, a dialog that asks for a reason, and what became of it.
//
//   mountServiceActions(host, name, {isShort}) -> {show(one, may), stop()}
//     one: {service, rollout, history?}; may: "yes", "no" or "unknown"
//     isShort: only what is possible, and no list of commands: for the strip

import { onToken } from "./api.js";
import { copyButton } from "./copies.js";
import { askFor } from "./dialogs.js";
import { el, mark, replace } from "./dom.js";
import { outcomeCard, tellOutcome } from "./outcome_cards.js";
import { isUnderWay, possible, statusOf } from "./rollout_words.js";
import { SCALE, SERVICE_ACTIONS, serviceCommand } from "./service_commands.js";
import { asked, ofService, onServiceOutcome } from "./service_outcomes.js";

const SHOWN = 3;
const REPLICAS_MAX = 10_000;
const ALL = [...SERVICE_ACTIONS, SCALE];

export function mountServiceActions(host, name, { isShort = false } = {}) {
  const group = el("div", { class: "actions", role: "group", "aria-label": `Actions on ${name}` });
  const outcomes = el("div", { class: "outcomes", role: "group", "aria-label": "What became of it" });
  const readOnly = el("p", { class: "muted" }, "You may look at this fleet, not change it.");
  const list = el("ul", { class: "commands" });
  const commands = el("details", { class: "equivalents" }, el("summary", {}, "The same on the command line"), list);
  const listed = () => commands.open && replace(list, equivalents(name));
  commands.addEventListener("toggle", listed);
  let one = null;
  let box = null;
  let extra = null;
  const press = (action) => {
    extra = extraOf(action, one);
    box = dialog(action, name, one, extra);
  };
  const buttons = ALL.filter(({ id }) => !isShort || !["start", "undo", "scale"].includes(id)).map((action) => [
    action,
    el(
      "button",
      {
        type: "button",
        class: `${action.danger ? "danger" : ""}${isShort ? " small" : ""}`.trim() || null,
        data: { action: action.id },
        on: { click: () => press(action) },
      },
      `${action.word}…`,
    ),
  ]);
  replace(group, buttons.map(([, button]) => button));
  replace(host, group, isShort ? null : readOnly, outcomes, isShort ? null : commands);
  const render = () => replace(outcomes, ofService(name).slice(0, isShort ? 1 : SHOWN).map(outcomeCard));
  const off = onServiceOutcome((whose, outcome) => {
    if (whose !== name) return;
    render();
    tellOutcome(outcome);
  });
  const offToken = onToken(listed);
  render();
  return {
    show(next, may) {
      one = next;
      extra?.fill?.(one);
      group.hidden = may !== "yes" || (isShort && !isUnderWay(one.rollout));
      commands.hidden = may !== "yes";
      readOnly.hidden = may !== "no";
      const can = possibleOf(one);
      for (const [action, button] of buttons) {
        const is = can.has(action.id);
        button.hidden = isShort && !is;
        mark(button, "aria-disabled", is ? null : "true");
        button.disabled = !is;
        mark(button, "title", is ? action.says : whyNot(action, one.rollout));
      }
    },
    // Who goes elsewhere acts no more on what is left behind.
    stop() {
      off();
      offToken();
      box?.close();
    },
  };
}

// An undo needs an earlier revision that is kept; whether one is comes with the history.
function possibleOf({ rollout, history }) {
  const can = possible(rollout);
  can.add("scale");
  if (history && earlier(history, rollout).length === 0) can.delete("undo");
  return can;
}

function whyNot({ word }, rollout) {
  if (rollout === null) return `${word} is not possible: there is no rollout`;
  if (word === "Undo") return "Undo is not possible: no earlier revision is kept";
  return `${word} is not possible: the rollout is ${statusOf(rollout.status).word}`;
}

function equivalents(name) {
  return ALL.map((action) => {
    const text = serviceCommand(action, name, "", null);
    return el("li", {}, el("code", {}, text), copyButton(() => text, `Copy the command: ${action.word}`));
  });
}

// Revisions to go back to, the newest first: not the one that it is at, or heading for.
function earlier({ revisions, serving }, rollout) {
  const at = isUnderWay(rollout) ? (rollout.back_to ?? rollout.revision) : serving;
  return revisions.filter(({ number }) => number !== at).reverse();
}

function dialog(action, name, one, extra) {
  const what = action.id === "scale" ? `${action.word} ${name}` : `${action.word} the rollout of ${name}`;
  return askFor({
    title: what,
    says: action.says,
    word: action.word,
    danger: action.danger,
    extra,
    command: (why, value) => serviceCommand(action, name, why, value),
    submit: (words, value) => void asked(action, one, words, value),
  });
}

function extraOf({ id }, one) {
  if (id === "scale") return numberField(one.service);
  return id === "undo" ? revisionField(one) : undefined;
}

function numberField({ replicas, autoscaling }) {
  const field = el("input", {
    id: "action-replicas",
    type: "number",
    min: autoscaling?.least ?? 0,
    max: autoscaling?.most ?? REPLICAS_MAX,
    step: 1,
    required: true,
    inputmode: "numeric",
  });
  field.value = String(replicas);
  return {
    node: el("div", {}, el("label", { for: "action-replicas" }, "Replicas"), field),
    isReady: () => field.reportValidity(),
    value: () => (field.value === "" ? null : Number(field.value)),
  };
}

// The history may come, and go on, while the dialog is open: what was chosen stays, also
// where it is offered no more. The operator says in words what is wrong with it.
function revisionField(one) {
  const field = el("select", { id: "action-to" });
  let filled = null;
  const fill = ({ history, rollout }) => {
    const choices = history ? earlier(history, rollout) : [];
    const key = JSON.stringify(choices);
    if (key === filled) return;
    filled = key;
    const chosen = field.value;
    const isOffered = chosen === "" || choices.some(({ number }) => String(number) === chosen);
    replace(
      field,
      el("option", { value: "" }, "The newest good one that is not serving"),
      choices.map(({ number, outcome, why }) =>
        el("option", { value: number }, `Revision ${number}, ${outcome}${why ? `: ${why}` : ""}`),
      ),
      isOffered ? null : el("option", { value: chosen }, `Revision ${chosen}, no longer to go back to`),
    );
    field.value = chosen;
  };
  fill(one);
  return {
    fill,
    node: el("div", {}, el("label", { for: "action-to" }, "Back to"), field),
    isReady: () => true,
    value: () => (field.value === "" ? null : Number(field.value)),
  };
}
