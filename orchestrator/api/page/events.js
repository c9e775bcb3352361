// The events of a container, the newest first: kept live, each with its JSON, all of
// them to be saved. Older ones are fetched a stretch of the journal at a time.

import { copyButton, save } from "./copies.js";
import { el, replace, write } from "./dom.js";
import { rowsOf } from "./jumps.js";
import { Newest } from "./later.js";
import { href } from "./routes.js";
import { moment } from "./times.js";
import { glyph, plain, sentence } from "./words.js";

const STRETCH = 2_000;
const KEPT_MAX = 2_000;
const SHOWN_STEP = 25;

// Mount the list; return `{load(last), reload(last), add(row), stop()}`; `last`: the newest
// row to show. What was loaded is not loaded again, unless by `reload`: where rows were
// left out, what stands before them is let go, so that no hole looks like quiet.
export function mountEvents(host, name) {
  const list = el("ol", { class: "events", reversed: true });
  const filter = el("select", { "aria-label": "Which events" }, el("option", { value: "" }, "all events"));
  const told = el("p", { class: "muted fine" });
  const more = el("button", { type: "button" }, "Show more");
  const older = el("button", { type: "button" }, "Look further back");
  const download = el("button", { type: "button", class: "small" }, "Download as JSON");
  const state = {
    name,
    rows: [],
    shown: SHOWN_STEP,
    type: "",
    first: null,
    base: 0,
    again: null,
    problem: "",
    types: new Set(),
    busy: new Newest(),
  };
  const parts = { list, filter, told, more, older };
  filter.addEventListener("change", () => {
    state.type = filter.value;
    render(state, parts);
  });
  more.addEventListener("click", () => {
    state.shown += SHOWN_STEP;
    render(state, parts);
  });
  older.addEventListener("click", () => (state.again === null ? lookBack(state, parts) : state.again()));
  download.addEventListener("click", () => save(`${name}-events.json`, JSON.stringify(state.rows, null, 2)));
  replace(
    host,
    el("div", { class: "strip" }, filter, download),
    told,
    list,
    el("div", { class: "strip" }, more, older),
  );
  return {
    load(last) {
      if (state.first === null && !state.busy.isBusy) newest(state, parts, last);
    },
    reload: (last) => newest(state, parts, last),
    add: (row) => added(state, parts, row),
    stop: () => state.busy.stop(),
  };
}

function newest(state, parts, last) {
  const first = Math.max(1, last - STRETCH + 1);
  return loaded(state, parts, first, last, (row) => row.seq >= first);
}

// Fetch the events of rows `first` to `last`; of those that are there, keep what `keeps`
// says. Where the journal was compacted, the answer says behind which row it begins.
function loaded(state, parts, first, last, keeps = () => true) {
  return state.busy.run(
    (signal) => stretch(state.name, first, last, signal),
    (rows) => {
      const known = new Set(rows.map((row) => row.seq));
      state.rows = [
        ...rows,
        ...state.rows.filter((row) => keeps(row) && !known.has(row.seq)),
      ].sort((a, b) => a.seq - b.seq);
      state.first = first;
      state.again = null;
      render(state, parts);
    },
    (error) => {
      const base = error.code === "journal_compacted" ? error.facts.base : undefined;
      if (base === undefined || base < first || base >= last) {
        state.again = () => loaded(state, parts, first, last, keeps);
        state.problem = error.message;
        render(state, parts);
        return;
      }
      state.base = base;
      void loaded(state, parts, base + 1, last, (row) => row.seq > base && keeps(row));
    },
  );
}

async function stretch(name, first, last, signal) {
  const rows = [];
  for await (const row of rowsOf(name, first - 1, last, signal)) rows.push(row);
  return rows;
}

function lookBack(state, parts) {
  const last = state.first - 1;
  const first = Math.max(state.base + 1, last - STRETCH + 1);
  state.shown += SHOWN_STEP;
  return loaded(state, parts, first, last);
}

function added(state, parts, row) {
  if (state.rows.length > 0 && row.seq <= state.rows.at(-1).seq) return;
  state.rows.push({ seq: row.seq, event: row.event });
  if (state.rows.length > KEPT_MAX) {
    state.rows.splice(0, state.rows.length - KEPT_MAX);
    state.first = state.rows[0].seq;
  }
  render(state, parts);
}

function render(state, parts) {
  choices(state, parts.filter);
  const all = state.rows.filter((row) => state.type === "" || row.event.type === state.type);
  const wanted = all.slice(-state.shown).reverse();
  const have = new Map([...parts.list.children].map((node) => [node.dataset.seq, node]));
  const nodes = wanted.map((row) => have.get(String(row.seq)) ?? item(row));
  for (const [seq, node] of have) if (!nodes.includes(node)) node.remove(), have.delete(seq);
  nodes.forEach((node, place) => {
    if (parts.list.children[place] !== node) parts.list.insertBefore(
      node,
      parts.list.children[place] ?? null,
    );
  });
  parts.more.hidden = all.length <= state.shown;
  parts.older.hidden = state.again === null && (state.first === null || state.first <= state.base + 1);
  write(parts.older, state.again === null ? "Look further back" : "Try again");
  write(parts.told, toldOf(state, all));
}

function toldOf(state, all) {
  if (state.again !== null) return state.problem;
  if (state.first === null) return "";
  const since = state.first <= state.base + 1 ? "the first row there is" : `row ${state.first}`;
  return `${all.length} ${all.length === 1 ? "event" : "events"} since ${since}.`;
}

function choices(state, filter) {
  for (const { event } of state.rows) {
    if (state.types.has(event.type)) continue;
    state.types.add(event.type);
    filter.append(el("option", { value: event.type }, plain(event.type)));
  }
}

function item(row) {
  const { seq, event } = row;
  const details = el(
    "details",
    {},
    el(
      "summary",
      {},
      el("span", { class: "seq" }, `${seq}`),
      el("span", { class: "event-glyph", "aria-hidden": "true" }, glyph(event)),
      el("span", { class: "event-words" }, sentence(event)),
      moment(event.at),
    ),
  );
  // The JSON is made when it is asked for: a long list stays light.
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const text = JSON.stringify({ seq, event }, null, 2);
    details.append(
      el(
        "div",
        { class: "strip" },
        el("a", { href: href("past", { at: seq }) }, `The fleet after row ${seq}`),
        copyButton(() => text, `Copy row ${seq}`),
      ),
      el("pre", { class: "json", tabindex: "0", "aria-label": `Row ${seq} as JSON` }, text),
    );
  });
  return el("li", { data: { seq, type: event.type } }, details);
}
