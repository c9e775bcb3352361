// Looks at the containers of a fleet: whoever lives is asked itself, in time, and many at
// once; of the others it is known what they last said.
//
// Note [Pages]. One call of an object may ask 10,000 others (Cloudflare, "Workers: Limits"),
// answer with 32 MiB, and should not take long. So a fleet is listed in pages, by name: each
// is a call of its own, and a look of its own with its own time. 2,000 of them, 32 together,
// are some sixty turns of 160 ms within the time of a list; they use a fifth of what a call
// may ask, answer with about a megabyte, and 100,000 containers are fifty calls. Names keep
// their order whatever comes and goes meanwhile: who is there throughout is on one page. The
// cursor is the end of the feed before a page; with that of the first one, all that comes
// after it on any page comes again as news.

import { PAGE_MAX } from "./bounds.js";
import { refuse } from "./http.js";
import { saysTheSame } from "./ledger.js";
import { objectOf, placeOf } from "./objects.js";
import { borneBy } from "./traffic.js";
import { pause, within } from "./waiting.js";

/** A container that does not answer in time is unreachable, not gone. */
const LOOK_LIMIT_MS = 5_000;

/** A list takes no longer: whoever was not looked at by then is unreachable in it. */
const LIST_LIMIT_MS = 10_000;

/** Containers that are looked at together. */
const LOOKS_AT_ONCE = 32;

/** So long an operator that looks by itself may take to come first. */
const RETURN_MS = 1_000;

/** Pages that are then looked at in one call; fewer containers than it may ask. */
const RETURN_PAGES = 4;

export class Looks {
  constructor(env, ledger, fleetOf) {
    this.env = env;
    this.ledger = ledger;
    this.fleetOf = fleetOf;
    this.orphanedUpTo = "";
    this.unasked = ledger.rows("SELECT 1 FROM containers LIMIT 1").length > 0 ? "" : null;
    this.isAsking = false;
  }

  /**
   * Look once, where this object has come back to containers that it knew: runs may have
   * ended with the runtime, and their objects sleep until they are asked. What they find
   * they tell as news. One call asks some pages, the next one goes on behind them.
   */
  async afterReturn() {
    if (this.unasked === null || this.isAsking) return;
    this.isAsking = true;
    try {
      await pause(RETURN_MS);
      for (let pages = 0; this.unasked !== null && pages < RETURN_PAGES; pages++) {
        const { rows, next } = this.ledger.page({ after: this.unasked, limit: PAGE_MAX });
        this.unasked = next;
        await this.each(rows.filter(isLive), (row) => this.lookAt(row));
      }
    } finally {
      this.isAsking = false;
    }
  }

  /** The containers of the fleet as they are now, all or a page; what lives is asked itself. */
  async list(page) {
    this.unasked = null; // whoever looks asks all of them
    const views = new Map();
    const { last } = this.ledger.ends(); // before the looks: news that come meanwhile come again
    const { rows, ...more } = this.part(page);
    const isWhole = page === undefined; // nothing comes behind it, so it may go on where it is late
    await this.inTime(rows, async (row) => views.set(row.name, await this.lookAt(row)), isWhole);
    const generation = this.ledger.fact("generation");
    return {
      generation,
      cursor: `${generation}:${last}`,
      complete: true,
      containers: rows.map((row) => views.get(row.name) ?? unseen(row)),
      ...more,
    };
  }

  /** What of the owner's traffic each container bears that lives, of all or of a page. */
  async loads(page) {
    const { rows, ...more } = this.part(page);
    const ask = (row) => this.object(row).load();
    return { loads: await borneBy(rows.filter(isLive), this.inTime.bind(this), ask), ...more };
  }

  /**
   * Stop those that live of the next page of containers, as no operator has called for too
   * long; say whether there are more.
   */
  async orphan() {
    const { rows, next } = this.ledger.page({ after: this.orphanedUpTo, limit: PAGE_MAX });
    this.orphanedUpTo = next ?? "";
    await this.each(rows.filter(isLive), (row) => this.object(row).orphan());
    return next !== null;
  }

  /** One container as it is now. */
  async state(name) {
    const row = this.ledger.find(name);
    return row ? this.lookAt(row, true) : unknown(name);
  }

  /** Where a container is. */
  place(name) {
    const row = this.ledger.find(name);
    return row ? placeOf(row) : unknown(name);
  }

  /** What an object says; at rest, what it last said. */
  async lookAt(row, always = false) {
    if (!always && !isLive(row)) return JSON.parse(row.view);
    try {
      const view = await within(LOOK_LIMIT_MS, this.object(row).look());
      if (view.run < row.run) return { ...view, name: row.name, run: row.run, phase: "admitted" };
      if (!saysTheSame(row.view, view)) this.ledger.keepView(row.name, view);
      return view;
    } catch {
      return unseen(row);
    }
  }

  /** The rows of a page, and where it goes on; of no page all rows, and nothing more. */
  part(page) {
    return page ? this.ledger.page(page) : { rows: this.ledger.all() };
  }

  object(row) {
    return objectOf(this.env, { ...placeOf(row), fleet: this.fleetOf(), name: row.name });
  }

  /** Do something with each row for no longer than a list takes; behind that only what *goes on*. */
  async inTime(rows, step, goesOn = false) {
    const until = Date.now() + LIST_LIMIT_MS; // a timer alone is late where there is much to do
    let isOver = false;
    const asksNoMore = () => isOver || (!goesOn && Date.now() >= until);
    await within(LIST_LIMIT_MS, this.each(rows, step, asksNoMore)).catch(() => {});
    isOver = !goesOn;
  }

  /** Do something with each row until it is over, so many at a time; one that fails stops no other. */
  async each(rows, step, isOver = () => false) {
    const left = [...rows];
    const worker = async () => {
      for (let row = left.shift(); row && !isOver(); row = left.shift()) {
        await within(LOOK_LIMIT_MS, step(row)).catch(() => {});
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, worker));
  }
}

function unknown(name) {
  return refuse(404, "not_found", `no container ${name} is known`, { name });
}

/** What is said of a container that does not answer: what it last said, and that. */
function unseen(row) {
  const kept = row.view === null ? { name: row.name } : JSON.parse(row.view);
  return { ...kept, run: row.run, phase: "unreachable" };
}

function isLive(row) {
  const view = row.view === null ? null : JSON.parse(row.view);
  return view === null || view.run < row.run || view.phase === "starting" || view.phase === "running";
}
