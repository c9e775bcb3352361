// The view of the fleet: how many are where, and one table of all of them, live.
//
// Exports (stable):
//   mount(root, params) -> unmount     with unmount.update(params)
// Parameters of the URL: q (text), phase (names, comma separated; also not_ready), rev
// (a revision), sort (a column's key, "-" before it: falling).

import { onToken, tokenState } from "./api.js";
import { COLUMNS } from "./columns.js";
import { el, mark, replace, say, write } from "./dom.js";
import { admits, asked, countsOf, filterBar, written } from "./filters.js";
import { onKey } from "./keys.js";
import { PHASES, phaseOf } from "./phases.js";
import { adjust, href } from "./routes.js";
import { mountStrip } from "./service_strip.js";
import { onServices } from "./services.js";
import * as store from "./store.js";
import { onStatus, retry, status } from "./stream.js";
import { table } from "./table.js";
import { moment, retime } from "./times.js";
import { askForToken } from "./token.js";
import { countsOfFacts, wideList } from "./wide.js";

const NUMBERS = new Intl.NumberFormat("en");
const BY_NAME = { key: "name", way: 1 };
const NEEDY = PHASES.filter(({ tone }) => ["bad", "warn"].includes(tone)).map(({ name }) => name);
// Where the reader was when this view was left last, and with which parameters.
let left = null;

export function mount(root, params) {
  const view = new View(params);
  replace(root, view.node);
  view.begin();
  const unmount = () => view.end();
  unmount.update = (next) => view.moved(next);
  unmount.returned = () => view.returned();
  return unmount;
}

class View {
  constructor(params) {
    this.filter = asked(params);
    this.sort = sortOf(params.sort);
    this.title = el("h1");
    this.facts = el("p", { class: "fleet-facts muted" });
    this.looked = moment(null);
    this.needy = el("a", { href: href("fleet", { phase: [...NEEDY, "not_ready"].join(",") }) });
    this.bar = filterBar((change) => this.altered(change));
    this.shown = el("p", { class: "fleet-shown muted" });
    this.clear = el("button", { type: "button", class: "plain", on: { click: () => this.cleared() } }, "Clear the filter");
    this.order = sortMenu((sort) => this.sorted(sort));
    this.bar.tools.append(this.order.node);
    this.bar.node.append(el("div", { class: "row", hidden: true }, this.shown, this.clear));
    this.table = table({
      label: "Containers",
      href: ({ name }) => href("container", { name }),
      sort: this.sort,
      onSort: (sort) => this.sorted(sort),
      onMissing: (from, until) => this.wide.missing(from, until),
    });
    this.total = null;
    this.wide = wideList({
      table: this.table,
      shown: (total) => {
        this.total = total;
        this.drawWide();
      },
    });
    this.state = el("div");
    this.stateKey = "";
    this.head = el("div", { class: "fleet-head" }, el("div", null, this.title, this.facts), this.bar.tools);
    const services = el("div");
    this.strip = mountStrip(services);
    this.services = [];
    this.node = el("div", { class: "fleet-view" }, this.head, services, this.bar.node, this.table.node, this.state);
    this.saying = null;
  }

  begin() {
    const clear = () => isFiltering(this.filter) && this.cleared();
    this.offs = [
      store.subscribe(({ facts }) => {
        if (facts) this.drawServices();
        this.draw();
      }),
      onServices((list) => {
        this.services = list;
        this.drawServices();
      }),
      onStatus(() => this.drawState()),
      onToken(() => this.drawState()),
      onKey("/", "filter the fleet", () => this.bar.field.focus()),
      onKey("j", "next container", () => this.table.step(1)),
      onKey("k", "previous container", () => this.table.step(-1)),
      onKey("Escape", "clear the filter; leave a field", clear),
    ];
    this.order.draw(this.sort);
    this.draw();
  }

  end() {
    left = { ...this.table.at(), key: this.key() };
    clearTimeout(this.saying);
    this.table.leave();
    this.wide.leave();
    this.strip.stop();
    for (const off of this.offs) off();
  }

  key() {
    return JSON.stringify([written(this.filter), this.sort]);
  }

  returned() {
    if (left?.key !== this.key() || !store.loaded()) return false;
    this.table.back(left);
    return true;
  }

  // Another URL of this view: by the back button, a link, or by hand.
  moved(params) {
    this.filter = asked(params);
    this.sort = sortOf(params.sort);
    this.bar.field.value = this.filter.text;
    this.table.sortBy(this.sort);
    this.order.draw(this.sort);
    this.draw();
  }

  altered(change) {
    const next = { ...this.filter, ...change };
    this.filter = asked({ q: next.text, phase: [...next.looks].join(","), rev: String(next.revision ?? "") });
    adjust(written(this.filter));
    this.draw();
    clearTimeout(this.saying);
    this.saying = setTimeout(() => say(this.shown.textContent), 600);
  }

  cleared() {
    this.bar.field.value = "";
    this.altered({ text: "", looks: new Set(), revision: null });
  }

  sorted(sort) {
    this.sort = sort;
    const same = sort.key === BY_NAME.key && sort.way === BY_NAME.way;
    adjust({ sort: same ? null : `${sort.way < 0 ? "-" : ""}${sort.key}` });
    this.table.sortBy(sort);
    this.order.draw(sort);
    this.draw();
  }

  drawServices() {
    const facts = store.facts();
    this.strip.update(this.services, { may: facts === null ? "unknown" : facts.can_write ? "yes" : "no" });
  }

  draw() {
    if (store.wide() && store.facts()) {
      this.wide.ask({ filter: this.filter, sort: this.sort });
      this.drawWide();
      this.wide.draw();
      return;
    }
    const infos = store.all();
    const found = infos.filter(admits(this.filter));
    this.drawAround(found.length, infos.length, countsOf(infos));
    this.table.show(found, infos);
  }

  // Of a wide fleet, the operator says how many there are, and how many are found.
  drawWide() {
    const facts = store.facts();
    this.drawAround(this.total, facts.containers, countsOfFacts(facts));
    if (this.wide.isAsking()) write(this.shown, "");
  }

  // What is told around the table: of how many how many are found, and how all look.
  // The number that is found is null where nobody knows it yet.
  drawAround(found, all, counts) {
    this.found = found;
    this.drawHead(all, counts.looks);
    this.bar.draw(counts, this.filter);
    const filtering = isFiltering(this.filter);
    write(this.shown, filtering && found !== null ? `${NUMBERS.format(found)} of ${NUMBERS.format(all)} shown` : "");
    this.clear.parentNode.hidden = !filtering;
    this.bar.node.hidden = !store.loaded() || (all === 0 && !filtering);
    this.bar.tools.hidden = this.bar.node.hidden;
    this.table.node.hidden = found === 0;
    this.drawState();
  }

  drawHead(all, looks) {
    const facts = store.facts();
    const ill = [...looks].reduce((sum, [look, count]) => sum + (["bad", "warn"].includes(phaseOf(look).tone) ? count : 0), 0);
    const count = all === 1 ? "1 container" : `${NUMBERS.format(all)} containers`;
    write(this.title, store.loaded() ? count : "Fleet");
    if (!facts || !store.loaded()) return;
    retime(this.looked, facts.observed_at);
    const ready = looks.get("running") ?? 0;
    write(this.needy, `${NUMBERS.format(ill)} ${ill === 1 ? "needs" : "need"} attention`);
    const first = `${NUMBERS.format(ready)} ready · `;
    const rest = ` · revision ${facts.revision} · row ${NUMBERS.format(store.seq())} · platform looked at `;
    // Text nodes are kept, so that a selection or a reading aloud is not cut off.
    this.words ??= [new Text(), new Text()];
    this.words[0].data = first + (ill === 0 ? "none needs attention" : "");
    this.words[1].data = rest;
    this.needy.hidden = ill === 0;
    if (!this.facts.firstChild) replace(this.facts, this.words[0], this.needy, this.words[1], this.looked);
  }

  drawState() {
    const key = this.stateOf();
    if (key === this.stateKey) return;
    this.stateKey = key;
    const [kind, ...rest] = key.split("|");
    mark(this.node, "aria-busy", kind === "loading" ? "true" : null);
    replace(this.state, STATES[kind](this, rest.join("|")));
  }

  stateOf() {
    if (!store.loaded()) {
      if (["needed", "refused"].includes(tokenState())) return "token";
      const now = status();
      return now.why ? `error|${now.why}` : "loading";
    }
    if (this.found === null) return "loading";
    if (this.found > 0) return "none";
    return isFiltering(this.filter) ? "nothing" : "empty";
  }
}

const STATES = {
  none: () => null,
  loading: () =>
    el("div", { class: "skeleton" }, el("span", { class: "unseen" }, "Loading the fleet"), Array.from({ length: 8 }, () => el("i"))),
  error: (_, why) => told("The fleet cannot be shown", why, button("Try now", retry)),
  token: () => told("A token is needed", "This operator tells nothing without one.", button("Enter a token", askForToken)),
  nothing: (view) => told("No container matches", "Nothing in this fleet fits the filter.", button("Clear the filter", () => view.cleared())),
  empty: () =>
    told(
      "This fleet has no containers",
      ["Declare some in its file, or start one: ", el("code", null, "orchestrator start NAME"), ". They appear here by themselves."],
    ),
};

function told(title, text, action) {
  return el("div", { class: "state" }, el("h2", null, title), el("p", null, text), action);
}

function button(text, click) {
  return el("button", { type: "button", on: { click } }, text);
}

function isFiltering({ text, looks, revision }) {
  return text !== "" || looks.size > 0 || revision !== null;
}

function sortOf(text = "") {
  const falling = text.startsWith("-");
  const key = falling ? text.slice(1) : text;
  const known = COLUMNS.some((column) => column.key === key && key !== "why");
  return known ? { key, way: falling ? -1 : 1 } : BY_NAME;
}

// Narrow screens have no headings to press.
function sortMenu(sort) {
  let now = BY_NAME;
  const options = COLUMNS.filter(({ key }) => key !== "why").map(({ key, label }) => el("option", { value: key }, `By ${label.toLowerCase()}`));
  const chosen = (event) => sort({ key: event.target.value, way: COLUMNS.find(({ key }) => key === event.target.value).first });
  const keys = el("select", { "aria-label": "Sort", on: { change: chosen } }, options);
  const turn = el("button", { type: "button", class: "small", on: { click: () => sort({ ...now, way: -now.way }) } });
  const draw = (next) => {
    now = next;
    keys.value = next.key;
    write(turn, next.way > 0 ? "↑" : "↓");
    mark(turn, "aria-label", next.way > 0 ? "Rising; turn round" : "Falling; turn round");
  };
  return { node: el("div", { class: "fleet-order" }, keys, turn), draw };
}
