// The dialog that asks for a reason before something is done, and shows the command that
// does the same. What was typed as one's name is remembered.
//
//   askFor({title, says, word, danger, extra, command, submit}) -> the dialog, shown
//     extra      {node, isReady(), value()} for what else is asked for, or nothing
//     command    fn(why, value) -> the command, ready to be pasted
//     submit     fn({by, why}, value), when it is gone through with

import { copyButton } from "./copies.js";
import { el, write } from "./dom.js";

const BY_KEY = "by";
const WHY_MAX = 500;
const NOTHING = { node: null, isReady: () => true, value: () => null };

export function askFor({ title, says, word, danger = false, extra = NOTHING, command, submit }) {
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
  const text = () => command(why.value.trim(), extra.value());
  const code = el("code", {}, text());
  const box = el("dialog", { class: "ask", "aria-labelledby": "action-title" });
  const close = () => box.close();
  const form = el(
    "form",
    {},
    el("h2", { id: "action-title" }, title),
    el("p", {}, says),
    extra.node,
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
      el("button", { type: "submit", class: danger ? "danger primary" : "primary" }, word),
    ),
  );
  form.addEventListener("input", () => write(code, text()));
  why.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!extra.isReady()) return;
    const words = { by: by.value.trim() || "owner", why: why.value.trim() };
    const value = extra.value();
    remember(by.value.trim());
    close();
    submit(words, value);
  });
  box.addEventListener("close", () => box.remove());
  box.append(form);
  document.body.append(box);
  box.showModal();
  (extra.node?.querySelector("input, select") ?? why).focus();
  return box;
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
