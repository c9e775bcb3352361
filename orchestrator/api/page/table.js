// A table of containers that stays fast with thousands: only rows in sight exist.
//
// Exports (stable):
//   table({label, href, sort, onSort, onMissing}) -> {node, show(infos, all), part(part), sortBy(sort), step(by), at(), back(to), leave()}
//     label     what the table is called
//     href      fn(info) -> where a row's name leads
//     sort      {key, way}: a key of COLUMNS, way 1 or -1
//     onSort    fn({key, way}) when a heading was pressed
//     show      the containers to show, in any order; cheap when few of them changed.
//               all: what they were filtered from, so that names are sorted once
//     part      {total, offset, infos, latest}: of so many, in order, these are known from
//               that place on; latest(info): what is known of it by now
//     onMissing fn(from, until) when places are in sight of which nothing is known
//     step      move to the next (1) or previous (-1) row by keyboard
//     at        where the reader is: {name, y}; back(to) goes there again
//     leave     stop listening to the window
//
// A row has a fixed height (--row in fleet.css; another one on narrow screens), so what
// is in sight follows from where the window stands: two spacers are the rest. Rows are
// kept by name and rewritten only where an info is another object than before.

import { COLUMNS } from "./columns.js";
import { el, mark, replace } from "./dom.js";

const SPARE = 10;
const COLLATOR = new Intl.Collator("en", { numeric: true });

export function table({ label, href, sort, onSort, onMissing = () => {} }) {
  const before = spacer();
  const after = spacer();
  const body = el("tbody", { role: "rowgroup" }, before, after);
  const heads = new Map(COLUMNS.map((column) => [column.key, head(column, onSort)]));
  const node = el(
    "table",
    { class: "fleet", role: "table", "aria-label": label },
    el("colgroup", null, COLUMNS.map(({ key }) => el("col", { class: `c-${key}` }))),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row", "aria-rowindex": "1" }, [...heads.values()])),
    body,
  );
  const made = new Map();
  let ranks = new Map();
  let order = [];
  let chosen = sort;
  let current = null;
  let asked = false;

  function show(infos, all = infos) {
    if (all.length !== ranks.size || all.some(({ name }) => !ranks.has(name))) ranks = ranked(all);
    order = sorted(infos, chosen, ranks);
    mark(node, "aria-rowcount", order.length + 1);
    draw();
  }

  function part({ total, offset, infos, latest }) {
    order = new Array(total);
    infos.forEach((info, place) => {
      if (offset + place < total) order[offset + place] = latest(info);
    });
    mark(node, "aria-rowcount", total + 1);
    draw();
  }

  // Of what is in sight, what is known: all of it, but where only a part was asked for.
  function known(from, until) {
    let first = from;
    while (first < until && !order[first]) first += 1;
    let last = first;
    while (last < until && order[last]) last += 1;
    if (from < until && (first > from || last < until)) onMissing(from, until);
    return first < last ? [first, last] : [from, from];
  }

  function draw() {
    asked = false;
    const height = Number.parseFloat(getComputedStyle(node).getPropertyValue("--row")) || 40;
    const top = body.getBoundingClientRect().top;
    const [from, until] = known(
      Math.max(0, Math.min(order.length, Math.floor(-top / height) - SPARE)),
      Math.min(order.length, Math.ceil((innerHeight - top) / height) + SPARE),
    );
    const wanted = new Map();
    for (let place = from; place < until; place += 1) wanted.set(order[place].name, place);
    for (const [name, row] of made) {
      if (!wanted.has(name)) {
        row.node.remove();
        made.delete(name);
      }
    }
    const held = body.contains(document.activeElement) ? document.activeElement : null;
    let next = before.nextSibling;
    for (const [name, place] of wanted) {
      const row = made.get(name) ?? fresh(order[place]);
      row.update(order[place], place);
      if (row.node === next) next = next.nextSibling;
      else body.insertBefore(row.node, next);
    }
    before.firstChild.style.height = `${from * height}px`;
    after.firstChild.style.height = `${Math.max(0, order.length - Math.max(until, from)) * height}px`;
    before.hidden = from === 0;
    after.hidden = until >= order.length;
    // A row that was moved has lost the focus on the way.
    if (held?.isConnected && document.activeElement !== held) held.focus({ preventScroll: true });
  }

  function fresh(info) {
    const row = line(info, href);
    const entered = () => {
      current = info.name;
    };
    row.node.addEventListener("focusin", entered);
    row.node.addEventListener("click", entered);
    made.set(info.name, row);
    return row;
  }

  function step(by) {
    if (!order.length) return;
    const place = order.findIndex((info) => info?.name === current);
    const next = place < 0 ? 0 : Math.max(0, Math.min(order.length - 1, place + by));
    if (!order[next]) return;
    current = order[next].name;
    const height = Number.parseFloat(getComputedStyle(node).getPropertyValue("--row"));
    const covered = document.getElementById("top").offsetHeight + node.tHead.offsetHeight;
    const top = body.getBoundingClientRect().top + next * height;
    if (top < covered) scrollBy(0, top - covered);
    else if (top + height > innerHeight) scrollBy(0, top + height - innerHeight + 8);
    draw();
    made.get(current)?.link.focus({ preventScroll: true });
  }

  function back({ name, y }) {
    scrollTo(0, y);
    draw();
    current = name;
    made.get(name)?.link.focus({ preventScroll: true });
  }

  function sortBy(next) {
    chosen = next;
    for (const [key, cell] of heads) {
      const way = key === chosen.key ? chosen.way : 0;
      mark(cell, "aria-sort", way === 0 ? null : way > 0 ? "ascending" : "descending");
    }
  }

  function soon() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(draw);
  }

  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  sortBy(sort);
  return {
    node,
    show,
    part,
    sortBy,
    step,
    at: () => ({ name: current, y: scrollY }),
    back,
    leave: () => {
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    },
  };
}

function head(column, onSort) {
  const { key, label, says, first, order, numeric } = column;
  const look = { class: `c-${key}${numeric ? " number" : ""}`, scope: "col", role: "columnheader" };
  if (key === "why") return el("th", look, el("span", { title: says }, label));
  const press = () => {
    const now = cell.getAttribute("aria-sort");
    const way = now === null ? first : now === "ascending" ? -1 : 1;
    onSort({ key, way });
  };
  const cell = el("th", look, el("button", { type: "button", title: says, on: { click: press } }, label));
  return cell;
}

function line(info, href) {
  const cells = COLUMNS.map((column) => {
    const look = { class: `c-${column.key}${column.numeric ? " number" : ""}`, role: "cell" };
    const cell = el("td", { ...look, data: { label: column.label } });
    column.make(cell, info);
    return cell;
  });
  const node = el("tr", { role: "row", data: { name: info.name } }, cells);
  const link = cells[0].firstChild;
  mark(link, "href", href(info));
  // The whole row leads where its name does, unless text is being selected.
  node.addEventListener("click", ({ target }) => {
    if (!target.closest("a") && getSelection().isCollapsed) link.click();
  });
  let shown = null;
  return {
    node,
    link,
    update(next, place) {
      mark(node, "aria-rowindex", place + 2);
      if (next === shown) return;
      shown = next;
      COLUMNS.forEach((column, number) => column.draw(cells[number], next));
      mark(node, "class", next.phase);
    },
  };
}

// One cell and no more: a cell across all columns would count those that are not shown
// where it is narrow, and the browser would make room for them.
function spacer() {
  return el("tr", { class: "spacer", "aria-hidden": "true", hidden: true }, el("td"));
}

// The place of every name in the order of names, with 2 before 10.
function ranked(infos) {
  const names = infos.map(({ name }) => name).sort(COLLATOR.compare);
  return new Map(names.map((name, place) => [name, place]));
}

function sorted(infos, { key, way }, ranks) {
  const column = COLUMNS.find((one) => one.key === key) ?? COLUMNS[0];
  const value = column.order ?? ((info) => ranksOfText(info, key));
  const keyed = infos.map((info) => ({ info, by: value(info, ranks), name: ranks.get(info.name) }));
  keyed.sort((a, b) => compared(a.by, b.by, way) || a.name - b.name);
  return keyed.map(({ info }) => info);
}

function ranksOfText(info, key) {
  return key === "exit" ? info.last_exit : info.why;
}

function compared(a, b, way) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return (a < b ? -1 : 1) * way;
}
