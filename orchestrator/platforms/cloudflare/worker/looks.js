// Looks at the containers of a fleet: whoever lives is asked itself, in time, and many at
// once; of the others it is known what they last said.

import { refuse } from "./http.js";
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

export class Looks {
  constructor(env, ledger, fleetOf) {
    this.env = env;
    this.ledger = ledger;
    this.fleetOf = fleetOf;
    this.hasReturned = ledger.rows("SELECT 1 FROM containers LIMIT 1").length > 0;
  }

  /**
   * Look once, where this object has come back to containers that it knew: runs may have
   * ended with the runtime, and their objects sleep until they are asked. What they find
   * they tell as news.
   */
  async afterReturn() {
    if (!this.hasReturned) return;
    await pause(RETURN_MS);
    if (this.hasReturned) await this.list();
  }

  /** Every container of the fleet as it is now; what lives is asked itself. */
  async list() {
    this.hasReturned = false;
    const views = new Map();
    const { last } = this.ledger.ends(); // before the looks: news that come meanwhile come again
    const rows = this.ledger.all();
    const looking = this.each(rows, async (row) => views.set(row.name, await this.lookAt(row)));
    await within(LIST_LIMIT_MS, looking).catch(() => {});
    const generation = this.ledger.fact("generation");
    return {
      generation,
      cursor: `${generation}:${last}`,
      complete: true,
      containers: rows.map((row) => views.get(row.name) ?? unseen(row)),
    };
  }

  /** What of the owner's traffic each container bears that lives. */
  async loads() {
    const ask = (row) => this.object(row).load();
    return { loads: await borneBy(this.live(), this.each.bind(this), ask) };
  }

  /** Stop every container that lives: no operator has called for too long. */
  orphan() {
    return this.each(this.live(), (row) => this.object(row).orphan());
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
      this.ledger.keepView(row.name, view);
      return view;
    } catch {
      return unseen(row);
    }
  }

  live() {
    return this.ledger.all().filter(isLive);
  }

  object(row) {
    return objectOf(this.env, { ...placeOf(row), fleet: this.fleetOf(), name: row.name });
  }

  /** Do something with each row, so many at a time; one that fails stops no other. */
  async each(rows, step) {
    const left = [...rows];
    const worker = async () => {
      for (let row = left.shift(); row; row = left.shift()) {
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
