// What can be done with a container: a button an action, a dialog that asks for a reason
// and shows the command that does the same, and what became of it. Who may only read
// sees none of it.

import { onToken } from "./api.js";
import { ACTIONS, commandOf } from "./commands.js";
import { copyButton } from "./copies.js";
import { askFor } from "./dialogs.js";
import { el, replace } from "./dom.js";
import { outcomeCard, tellOutcome } from "./outcome_cards.js";
import { asked, ofName, onOutcome } from "./outcomes.js";

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
    tellOutcome(outcome);
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
  return askFor({
    title: `${action.word} ${name}`,
    says: action.says,
    word: action.word,
    danger: action.danger,
    command: (why) => commandOf(action, name, why),
    submit: (words) => void asked(action, info() ?? { name, run: 0 }, words),
  });
}
