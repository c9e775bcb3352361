// The dialog that asks for a token, opened when the operator answered 401.
//
// Exports (stable):
//   watchTokens()      open the dialog whenever a token is needed; called by shell.js
//   askForToken()      open it now (a button of a view that has nothing to show)
//   forgetToken()      drop the token and load the page again

import { el, mark, write } from "./dom.js";
import { declineToken, hasToken, onToken, setToken, tokenState } from "./api.js";

let dialog = null;

export function watchTokens() {
  onToken((state) => {
    if (state === "needed" || state === "refused") askForToken();
  });
}

export function askForToken() {
  dialog ??= made();
  const refused = tokenState() === "refused";
  write(dialog.problem, refused ? "The operator refused this token. It may have expired or been revoked." : "");
  mark(dialog.field, "aria-invalid", refused ? "true" : null);
  if (!dialog.box.open) dialog.box.showModal();
  dialog.field.focus();
  dialog.field.select();
}

export function forgetToken() {
  if (hasToken()) setToken("");
  location.reload();
}

function made() {
  const field = el("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "token-problem token-hint",
  });
  const problem = el("p", { id: "token-problem", class: "problem", role: "alert" });
  const cancel = el("button", { type: "button", on: { click: () => box.close() } }, "Not now");
  const form = el(
    "form",
    { on: { submit: (event) => take(event) } },
    el("h2", { id: "token-title" }, "This operator asks for a token"),
    el(
      "p",
      { id: "token-hint", class: "muted" },
      "Make one where the operator runs: ",
      el("code", null, "orchestrator token create NAME --scope read"),
      ". It stays in this tab, and is forgotten when the tab is closed.",
    ),
    el("label", { for: "token" }, "Token"),
    field,
    problem,
    el("div", { class: "row end" }, cancel, el("button", { class: "primary" }, "Use this token")),
  );
  const declined = () => tokenState() !== "given" && declineToken();
  const box = el("dialog", { "aria-labelledby": "token-title", on: { close: declined } }, form);
  document.body.append(box);
  const take = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    // A header holds visible ASCII only; anything else cannot be a token of ours.
    if (!/^[\x21-\x7e]+$/.test(text)) {
      write(problem, "A token is one word of letters, digits and signs.");
      mark(field, "aria-invalid", "true");
      return;
    }
    field.value = "";
    box.close();
    setToken(text);
  };
  return { box, field, problem };
}
