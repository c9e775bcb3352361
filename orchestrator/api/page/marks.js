// Marks of a drawing that can be reached: one tab stop for all, arrows move between
// them, and a line below tells what the focused one, or the one under the pointer, is.

import { el } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

// A readout with room kept for it, so that nothing jumps.
export function readout(idle) {
  return el("p", { class: "readout", "aria-hidden": "true" }, idle);
}

export class Marks {
  #host;
  #line;
  #idle;
  #all = [];
  #at = null;

  // `host` holds the marks; `line` shows the text of one, `idle` when there is none.
  constructor(host, line, idle) {
    this.#host = host;
    this.#line = line;
    this.#idle = idle;
    host.addEventListener("keydown", (event) => this.#move(event));
    host.addEventListener("focusin", (event) => this.#focused(event.target));
    host.addEventListener("focusout", () => this.#show(null));
    host.addEventListener("pointerover", (event) => this.#show(event.target));
    host.addEventListener("pointerleave", () => this.#show(document.activeElement));
  }

  // `marks` are `{node, text, holds(had)}` from left to right; the place is kept on the
  // mark that holds what the one before it, `had`, stood for.
  set(marks) {
    const had = this.#all[this.#index()];
    const isIn = this.#host.contains(document.activeElement);
    this.#all = marks;
    const kept = had === undefined ? -1 : marks.findIndex((mark) => mark.holds(had));
    const at = kept < 0 ? marks.length - 1 : kept;
    marks.forEach((mark, index) => {
      mark.node.setAttribute("tabindex", index === at ? "0" : "-1");
      mark.node.setAttribute("role", "img");
      mark.node.setAttribute("aria-label", mark.text);
      mark.node.classList.add("point");
    });
    this.#at = marks[at]?.node ?? null;
    if (isIn) this.#show(document.activeElement);
  }

  #index() {
    return this.#all.findIndex((mark) => mark.node === this.#at);
  }

  #move(event) {
    const to = this.#target(event.key);
    if (to === null || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.#all[Math.max(0, Math.min(this.#all.length - 1, to))].node.focus();
  }

  // What has the focus, by a key, a click or a script, is where one is.
  #focused(target) {
    const node = target.closest?.(".point") ?? null;
    if (node !== null && node !== this.#at) {
      this.#at?.setAttribute("tabindex", "-1");
      node.setAttribute("tabindex", "0");
      this.#at = node;
    }
    this.#show(target);
  }

  #target(key) {
    if (this.#all.length === 0) return null;
    if (key === "Home") return 0;
    if (key === "End") return this.#all.length - 1;
    return key in STEPS ? this.#index() + STEPS[key] : null;
  }

  #show(target) {
    const node = target?.closest?.(".point") ?? null;
    const mark = this.#all.find((one) => one.node === node);
    this.#line.textContent = mark === undefined ? this.#idle : mark.text;
    this.#line.classList.toggle("told", mark !== undefined);
  }
}
