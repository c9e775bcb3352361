// The columns of the fleet table: what each says of a container, and how it sorts.
//
// Exports (stable):
//   COLUMNS   [{key, label, says, order(info, names), first, make(cell, info), draw(cell, info)}]
//             order: a number to sort by (null: always last); first: 1 rising, -1 falling
//             when first chosen; make fills a new cell, draw is called when an info came
//
// A cell is a <td>; a draw writes only what differs.

import { el, mark, replace, write } from "./dom.js";
import { badge, phaseOf, rank } from "./phases.js";
import { countdown, retime, since } from "./times.js";

export const COLUMNS = [
  {
    key: "name",
    label: "Container",
    says: "Its name; opens its page",
    first: 1,
    order: (info, names) => names.get(info.name),
    make: (cell, info) => {
      cell.append(el("a", { class: "link" }), el("span", { class: "tag", hidden: true }, "ad hoc"));
      write(cell.firstChild, info.name);
    },
    draw: (cell, info) => {
      mark(cell, "title", info.name);
      cell.lastChild.hidden = info.origin !== "ad_hoc";
    },
  },
  {
    key: "phase",
    label: "Phase",
    says: "Where it is; what needs attention comes first",
    first: 1,
    order: (info) => rank(info),
    make: () => {},
    draw: (cell, info) => {
      const { glyph } = phaseOf(info);
      if (cell.dataset.glyph === glyph) return;
      const fresh = cell.dataset.glyph !== undefined;
      cell.dataset.glyph = glyph;
      replace(cell, badge(info));
      if (fresh) cell.firstChild.classList.add("turned");
    },
  },
  {
    key: "why",
    label: "Why",
    says: "Why it is there",
    first: 1,
    order: null,
    make: () => {},
    draw: (cell, info) => {
      write(cell, info.why);
      mark(cell, "title", info.why);
    },
  },
  counted("restarts", "Restarts", "How often it was started again, since it was declared", (info) => info.restarts),
  counted("crashes", "Crashes", "Failures that count against its crash limit now", (info) => info.crash_count),
  {
    key: "exit",
    label: "Last exit",
    says: "How its last run ended",
    first: 1,
    order: null,
    make: () => {},
    draw: (cell, info) => {
      write(cell, info.last_exit ?? "–");
      mark(cell, "title", info.last_exit);
      mark(cell, "data-none", info.last_exit === null);
    },
  },
  timed("next", "Next start", "When its policy starts it next", countdown, (info) => info.next_start_at, 1),
  counted("rev", "Rev.", "The revision of its spec", (info) => info.revision),
  counted("run", "Run", "The number of its present or last run", (info) => info.run),
  timed("age", "Age", "How long it has been running", since, (info) => info.started_at, 1, (at) => -at),
];

function counted(key, label, says, value) {
  return {
    key,
    label,
    says,
    numeric: true,
    first: -1,
    order: value,
    make: () => {},
    draw: (cell, info) => {
      write(cell, value(info));
      mark(cell, "data-none", value(info) === 0);
    },
  };
}

function timed(key, label, says, make, value, first, size = (at) => at) {
  return {
    key,
    label,
    says,
    numeric: true,
    first,
    order: (info) => (value(info) === null ? null : size(value(info))),
    make: (cell, info) => cell.append(make(value(info))),
    draw: (cell, info) => {
      retime(cell.firstChild, value(info));
      mark(cell, "data-none", value(info) === null);
    },
  };
}
