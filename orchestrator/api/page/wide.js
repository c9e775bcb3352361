// A fleet that is too large to be held here: the operator filters, sorts and counts it,
// and only the rows in sight are known.
//
// Exports (stable):
//   countsOfFacts(facts)     how many look how, of the whole fleet: {looks, revisions}
//   wideList({table, shown}) -> {ask({filter, sort}), isAsking(), missing(from, until), draw(), leave()}
//     ask       another filter or order: ask for its first page, when typing rests
//     isAsking  whether what is shown is not what was asked for yet
//     missing   rows are in sight that are not known: ask for the page around them
//     draw      show what is known by now, and ask again where rows have come since
//     shown     fn(total) is called when a page has come
//
// A page is asked for again while the fleet changes, the less often the longer an answer
// takes; what it shows is kept true by the stream meanwhile.

import { get } from "./api.js";
import * as store from "./store.js";

const ROWS = 120;
const SPARE = 40;
const TYPING_MS = 150;
const AGAIN_MS = 2_000;
const SLOWNESS = 4;

export function countsOfFacts({ phases, ready }) {
  const looks = new Map(Object.entries(phases));
  const running = looks.get("running") ?? 0;
  looks.set("running", ready);
  looks.set("not_ready", running - ready);
  return { looks, revisions: new Map() };
}

export function wideList({ table, shown }) {
  let wanted = null;
  let part = null;
  let timer = 0;
  let job = null;
  let seq = -1;
  let notBefore = 0;

  function ask({ filter, sort }) {
    const { text, looks, revision } = filter;
    const next = { q: text, look: [...looks].join(","), revision, sort: `${sort.way < 0 ? "-" : ""}${sort.key}` };
    if (JSON.stringify(next) === JSON.stringify(wanted?.params)) return;
    const typed = wanted !== null && wanted.params.q !== next.q;
    wanted = { params: next, offset: 0 };
    part = null;
    soon(typed ? TYPING_MS : 0);
  }

  function missing(from, until) {
    if (wanted === null) return;
    const offset = Math.max(0, from - SPARE);
    const isAsked = job !== null || timer !== 0;
    if (isAsked && wanted.offset <= from && until <= wanted.offset + ROWS) return;
    wanted.offset = offset;
    soon(isAsked ? TYPING_MS : 0);
  }

  function soon(ms) {
    clearTimeout(timer);
    timer = setTimeout(read, ms);
  }

  async function read() {
    timer = 0;
    job?.abort();
    const mine = new AbortController();
    job = mine;
    const began = performance.now();
    const { params, offset } = wanted;
    try {
      const { body, seq: at, total } = await get("/v1/containers", { ...params, offset, limit: ROWS }, mine.signal);
      if (job !== mine) return;
      seq = at;
      part = { total, offset, infos: body, latest: (info) => store.get(info.name) ?? info };
      store.hold(body);
      shown(total);
    } catch (problem) {
      // That nobody answers is told by the frame; what is shown stays, and is tried again.
      if (job !== mine || problem.name === "AbortError") return;
    }
    job = null;
    notBefore = performance.now() + Math.max(AGAIN_MS, SLOWNESS * (performance.now() - began));
    draw();
  }

  function draw() {
    if (part !== null) table.part(part);
    const isOld = store.seq() > seq || part === null;
    if (wanted !== null && job === null && timer === 0 && isOld) soon(Math.max(0, notBefore - performance.now()));
  }

  function leave() {
    clearTimeout(timer);
    job?.abort();
    job = wanted = null;
  }

  return { ask, isAsking: () => part === null, missing, draw, leave };
}
