// What one row of the journal was: its event in words and as JSON, the commands that it
// led to, each container that it changed, field by field, and the rule that decided.

import { copyButton } from "./copies.js";
import { el, replace } from "./dom.js";
import { badge } from "./phases.js";
import { href } from "./routes.js";
import { showExact } from "./times.js";
import { glyph, plain, sentence, valueWords } from "./words.js";

const SHOWN_MAX = 20;
const VERBS = {
  start_container: "start",
  stop_container: "stop",
  destroy_container: "destroy",
  forget_container: "forget",
};

// Mount it into two places: what the row was, and what it changed. `follow(name)` chooses
// a container to jump along. Return `{show(told, at)}`.
export function mountStep({ step, changes }, follow) {
  return {
    show(told, at) {
      if (told === null) {
        replace(changes, el("p", { class: "muted" }, "–"));
        replace(
          step,
          el(
            "p",
            { class: "muted" },
            at === 0
              ? "Nothing has happened yet: this is before the first row."
              : "The journal begins behind this row; what it was is not kept.",
          ),
        );
        return;
      }
      replace(step, eventOf(told), decidedOf(told));
      replace(changes, changesOf(told, follow));
    },
  };
}

function eventOf({ seq, at, event }) {
  const text = JSON.stringify({ seq, at, event }, null, 2);
  return el(
    "div",
    { class: "step-event" },
    el(
      "p",
      { class: "step-words" },
      el("span", { class: "event-glyph", "aria-hidden": "true" }, `${glyph(event)} `),
      event.name ? [el("strong", {}, event.name), ": "] : null,
      sentence(event),
    ),
    el("p", { class: "muted fine" }, `Row ${seq}, ${plain(event.type)}, ${showExact(at)}`),
    el(
      "details",
      {},
      el("summary", {}, "The event as JSON"),
      copyButton(() => text, `Copy row ${seq}`),
      el("pre", { class: "json", tabindex: "0", "aria-label": "The event as JSON" }, text),
    ),
  );
}

function decidedOf({ commands, why, changes }) {
  const rules = Object.entries(why ?? {});
  return el(
    "div",
    { class: "decided" },
    el("h3", {}, "What was decided"),
    commands.length === 0
      ? el("p", { class: "muted" }, "Nothing had to be commanded.")
      : el(
        "ul",
        { class: "commanded" },
        limited(
          commands.map(
            (command) => el("li", {}, el("span", { "aria-hidden": "true" }, "› "), commandWords(command)),
          ),
        ),
      ),
    rules.length === 0
      ? null
      : el(
        "dl",
        { class: "rules" },
        limited(
          rules.map(
            ([name, because]) => el(
              "div",
              {},
              el("dt", {}, name),
              el("dd", {}, because, ruleOf(changes[name])),
            ),
          ),
        ),
      ),
  );
}

// The rule that put a container where it is stands in its phase, where one had to decide.
function ruleOf(fields) {
  const rule = fields?.phase?.after?.rule;
  return typeof rule === "string" ? [" ", el("code", {}, rule)] : null;
}

function commandWords(command) {
  if (command.type === "observe_fleet") return "look at the whole platform";
  const verb = VERBS[command.type] ?? plain(command.type);
  const run = command.run === undefined ? "" : ` run ${command.run}`;
  const grace = command.grace_ms === undefined
    ? ""
    : ` (SIG${command.signal}, ${valueWords("grace_ms", command.grace_ms)})`;
  return `${verb} ${command.name ?? ""}${run}${grace}`;
}

function limited(nodes) {
  if (nodes.length <= SHOWN_MAX) return nodes;
  return [
    ...nodes.slice(0, SHOWN_MAX),
    el("div", { class: "muted" }, `and ${nodes.length - SHOWN_MAX} more`),
  ];
}

function changesOf({ seq, changes, containers }, follow) {
  const names = [...new Set([...Object.keys(containers), ...Object.keys(changes)])].sort();
  return el(
    "div",
    { class: "changes" },
    names.length === 0
      ? el("p", { class: "muted" }, "No container changed.")
      : limited(names.map((name) => changed(name, seq, containers[name], changes[name] ?? {}, follow))),
  );
}

function changed(name, seq, touched, fields, follow) {
  const rows = Object.entries(fields).flatMap(([field, { before, after }]) => leaves(field, before, after));
  return el(
    "section",
    { class: "changed", data: { name } },
    el(
      "h3",
      {},
      el("a", { href: href("container", { name, at: seq }) }, name),
      " ",
      touched === undefined
        ? null
        : [side(touched.before), el("span", { "aria-label": "becomes" }, " → "), side(touched.after)],
    ),
    el(
      "button",
      { type: "button", class: "small plain", on: { click: () => follow(name) } },
      "Follow its rows",
    ),
    rows.length === 0 ? null : fieldTable(name, rows),
  );
}

function side(info) {
  return info === null ? el("span", { class: "muted" }, "not in the fleet") : badge(info);
}

// A moment of the same day is told by its time alone; its title tells all of it.
function clock(ms) {
  const text = showExact(ms);
  return showExact(Date.now()).slice(0, 10) === text.slice(0, 10) ? text.slice(11, 23) : text.slice(0, 23);
}

function fieldTable(name, rows) {
  return el(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": `Fields of ${name} that changed` },
    el(
      "table",
      { class: "plain diff" },
      el(
        "thead",
        {},
        el("tr", {}, ["field", "before", "after"].map((head) => el("th", { scope: "col" }, head))),
      ),
      el(
        "tbody",
        {},
        rows.slice(0, 60).map(
          ([field, before, after]) => el(
            "tr",
            {},
            el("th", { scope: "row" }, plain(field)),
            el("td", {}, el("del", {}, valueWords(field, before, clock))),
            el("td", {}, el("ins", {}, valueWords(field, after, clock))),
          ),
        ),
      ),
    ),
  );
}

// Where both sides are objects, only the fields in them that differ are shown.
function leaves(field, before, after, depth = 0) {
  const isDeep = depth < 3 && isRecord(before) && isRecord(after);
  if (!isDeep) return same(before, after) ? [] : [[field, before, after]];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => leaves(`${field}.${key}`, before[key], after[key], depth + 1));
}

function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function same(one, other) {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
