// Availability and crashes over time, for the fleet or for one container: two drawings on
// one axis. A column is one stretch of time; each can be reached, and says its facts. The
// height tells, never the colour alone; a table holds the same.

import { axis, scaled } from "./axis.js";
import { el, mark, replace, svg } from "./dom.js";
import { onWidth } from "./later.js";
import { Marks, readout } from "./marks.js";
import { percent } from "./plot_columns.js";
import { onZone, showExact } from "./times.js";

const TOP = 22;
const SHARE = 64;
const GAP = 22;
const CRASHES = 40;
const LEFT = 40;
const RIGHT = 10;
const HEIGHT = TOP + SHARE + GAP + CRASHES + 4;
const IDLE = "Point at a column, or move along with the arrow keys.";
const ENTER = "Enter goes to that place of the past.";

// Mount the plots; `go(column)` is called for a chosen one, `enter` says so. Return
// `{update(columns, begins, ends), cursor(at), stop()}`.
export function mountPlots(host, name, go = null, enter = ENTER) {
  const idle = go === null ? IDLE : `${IDLE} ${enter}`;
  const picture = el("div", { class: "picture" });
  const line = readout(idle);
  const table = el(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": `${name} as a table` },
  );
  const details = el("details", {}, el("summary", {}, "The same as a table"), table);
  const marks = new Marks(picture, line, idle);
  const state = { name, columns: [], begins: 0, ends: 1, at: null, width: 0, go };
  const draw = () => drawn(state, picture, marks);
  const tabled = () => details.open && replace(table, tableOf(state));
  details.addEventListener("toggle", tabled);
  picture.addEventListener("click", (event) => chosen(state, event.target));
  picture.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || go === null) return;
    event.preventDefault();
    chosen(state, event.target);
  });
  replace(host, picture, line, details);
  const offWidth = onWidth(picture, (width) => {
    state.width = width;
    draw();
  });
  const offZone = onZone(draw);
  return {
    update(columns, begins, ends) {
      Object.assign(state, { columns, begins, ends });
      draw();
      tabled();
    },
    cursor(at) {
      state.at = at;
      placed(state, picture);
    },
    stop() {
      offWidth();
      offZone();
    },
  };
}

function chosen(state, target) {
  const place = target.closest?.("[data-column]")?.dataset.column;
  if (place !== undefined && state.go !== null) state.go(state.columns[Number(place)]);
}

function drawn(state, picture, marks) {
  const { columns, begins, ends, width } = state;
  if (width === 0) return;
  if (columns.length === 0) {
    replace(picture, el("p", { class: "empty" }, "There is nothing to plot yet."));
    marks.set([]);
    return;
  }
  const x = scaled(begins, ends, LEFT, width - RIGHT);
  const most = Math.max(1, ...columns.map((column) => column.crashes));
  const isIn = picture.contains(document.activeElement);
  const made = columns.map((column, place) => columnDrawn(column, place, x, most));
  replace(
    picture,
    svg(
      "svg",
      {
        class: "plot",
        width,
        height: HEIGHT,
        viewBox: `0 0 ${width} ${HEIGHT}`,
        role: "group",
        "aria-label": textOf(state),
      },
      axis({ from: begins, until: ends, x, left: LEFT, right: width - RIGHT, height: HEIGHT }),
      frameOf(width, most, columns.every((column) => column.crashes === 0)),
      steps(columns, x),
      svg(
        "line",
        {
          class: "cursor",
          x1: 0,
          x2: 0,
          y1: TOP - 4,
          y2: HEIGHT,
          visibility: "hidden",
          "aria-hidden": "true",
        },
      ),
      made.map((one) => one.node),
    ),
  );
  marks.set(made);
  placed(state, picture);
  if (isIn) picture.querySelector('.point[tabindex="0"]')?.focus({ preventScroll: true });
}

function frameOf(width, most, isCalm) {
  const low = TOP + SHARE;
  const floor = HEIGHT - 4;
  return svg(
    "g",
    { class: "frame", "aria-hidden": "true" },
    svg("text", { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }, "100 %"),
    svg("text", { x: LEFT - 6, y: low, "text-anchor": "end" }, "0"),
    svg("text", { class: "plot-name", x: LEFT, y: low + 15 }, isCalm ? "no crashes" : `crashes, at most ${most} a column`),
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: TOP, y2: TOP }),
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: low, y2: low }),
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: floor, y2: floor }),
    svg("text", { x: LEFT - 6, y: floor, "text-anchor": "end" }, "0"),
  );
}

// The outline of the availability: one path a stretch in which anything was wanted.
function steps(columns, x) {
  let path = "";
  let isOpen = false;
  for (const { from, until, share } of columns) {
    if (share === null) {
      isOpen = false;
      continue;
    }
    const y = (TOP + SHARE * (1 - share)).toFixed(1);
    path += `${isOpen ? "L" : "M"}${x(from).toFixed(1)} ${y}L${x(until).toFixed(1)} ${y}`;
    isOpen = true;
  }
  return svg("path", { class: "share-line", d: path, "aria-hidden": "true" });
}

function columnDrawn(column, place, x, most) {
  const from = x(column.from);
  const width = Math.max(1, x(column.until) - from);
  const shareHigh = column.share === null ? 0 : SHARE * column.share;
  const crashHigh = column.crashes === 0 ? 0 : Math.max(4, CRASHES * (column.crashes / most));
  const gap = width > 4 ? 1 : 0;
  const node = svg(
    "g",
    { class: "column", data: { column: place } },
    svg("rect", { class: "catch", x: from, y: TOP, width, height: HEIGHT - TOP }),
    shareHigh > 0
      ? svg("rect", { class: "share", x: from, y: TOP + SHARE - shareHigh, width, height: shareHigh })
      : null,
    crashHigh > 0
      ? svg(
        "rect",
        {
          class: "crashes",
          x: from + gap,
          y: HEIGHT - 4 - crashHigh,
          width: Math.max(1.5, width - 2 * gap),
          height: crashHigh,
        },
      )
      : null,
  );
  return { node, moment: column.moment, holds: ({ moment }) => moment < column.until, text: factsOf(column) };
}

function factsOf(column) {
  const crashes = `${column.crashes} ${column.crashes === 1 ? "crash" : "crashes"}`;
  const restarts = column.restarts === null
    ? ""
    : `, ${column.restarts} ${column.restarts === 1 ? "restart" : "restarts"}`;
  const share = column.share === null ? "" : ` (${percent(column.share)})`;
  const row = column.seq === null ? "" : `, up to row ${column.seq}`;
  return `${showExact(column.until)}: ${column.ready}${share}; ${crashes}${restarts}${row}.`.replace(
    /ready ([\d.]+ %) of the time \(.*?\)/,
    "ready $1 of the time",
  );
}

function textOf({ name, columns }) {
  const shares = columns.filter((column) => column.share !== null).map((column) => column.share);
  const crashes = columns.reduce((sum, column) => sum + column.crashes, 0);
  const least = shares.length === 0
    ? "nothing was wanted"
    : `at worst ${percent(Math.min(...shares))}, at last ${percent(shares.at(-1))} available`;
  return `${name}: ${least}, ${crashes} ${crashes === 1 ? "crash" : "crashes"} in all. Arrow keys move between the columns.`;
}

function placed({ at, begins, ends, width }, picture) {
  const line = picture.querySelector(".cursor");
  if (line === null) return;
  const isOut = at === null || at < begins || at > ends;
  mark(line, "visibility", isOut ? "hidden" : "visible");
  if (isOut) return;
  const place = scaled(begins, ends, LEFT, width - RIGHT)(at).toFixed(1);
  mark(line, "x1", place);
  mark(line, "x2", place);
}

function tableOf({ columns, name }) {
  const rows = columns.map((column) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, showExact(column.until)),
      el("td", {}, column.share === null ? "–" : percent(column.share)),
      el("td", {}, column.crashes),
      el("td", {}, column.restarts ?? "–"),
      el("td", {}, column.seq ?? "–"),
    ),
  );
  return el(
    "table",
    { class: "plain" },
    el("caption", { class: "unseen" }, name),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["up to", "available", "crashes", "restarts", "row"].map((head) => el("th", { scope: "col" }, head)),
      ),
    ),
    el("tbody", {}, rows.reverse()),
  );
}
