// The registry of a fleet: the list of its containers, their merged news, and the one
// operator whose orders count. It is asked before every order and told of every event,
// and never on the way of the containers' own traffic.

import { DurableObject } from "cloudflare:workers";

import { refuse } from "./http.js";
import { Ledger } from "./ledger.js";
import { borneBy } from "./traffic.js";
import { within } from "./waiting.js";

/** A container that does not answer in time is unreachable, not gone. */
const LOOK_LIMIT_MS = 5_000;

/** A list takes no longer: whoever was not looked at by then is unreachable in it. */
const LIST_LIMIT_MS = 10_000;

/** Containers that are looked at together. */
const LOOKS_AT_ONCE = 32;

/** A request that was on its way for so long does not arrive any more. */
const FLOOR_MS = 3_600_000;

/** How much of the time until it counts as gone an operator may be silent unnoticed. */
const PRESENCE_PARTS = 4;

export class FleetRegistry extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.ledger = new Ledger(ctx.storage.sql);
    this.waiting = new Set();
    this.calledAt = this.ledger.fact("called_at") ?? 0;
    this.heardAt = this.calledAt;
  }

  // The operator

  /** Grant an epoch higher than any before; every older operator is stale now. */
  async attach({ after, orphan_after_ms: orphanAfter }) {
    const epoch = Math.max(this.ledger.fact("epoch") ?? 0, after) + 1;
    this.ledger.setFact("epoch", epoch);
    this.ledger.setFact("orphan_after_ms", orphanAfter ?? null);
    this.calledAt = 0;
    await this.called();
    this.ring();
    return { epoch, generation: this.ledger.fact("generation") };
  }

  /** Say whether orders of an epoch are stale; the newest operator is noted. */
  async stale(epoch) {
    const refusal = this.refusal(epoch);
    if (!refusal) await this.called();
    return refusal;
  }

  refusal(epoch) {
    const highest = this.ledger.fact("epoch") ?? 0;
    if (epoch < highest) return refuse(409, "stale_operator", "a newer operator has taken over", { epoch, highest });
    if (epoch > highest) {
      this.ledger.setFact("epoch", epoch);
      this.ring();
    }
    return undefined;
  }

  /** Note that an operator is there; written down in parts of the time that matters. */
  async called() {
    const now = Date.now();
    this.heardAt = now;
    const orphanAfter = this.ledger.fact("orphan_after_ms");
    if (now - this.calledAt < (orphanAfter ?? FLOOR_MS) / PRESENCE_PARTS) return;
    this.calledAt = now;
    this.ledger.setFact("called_at", now);
    this.ledger.sweep(now - FLOOR_MS);
    if (orphanAfter === null || orphanAfter === undefined) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(now + orphanAfter);
  }

  /** Nobody has called: stop the containers, and go on until they are. */
  async alarm() {
    const orphanAfter = this.ledger.fact("orphan_after_ms");
    if (orphanAfter === null || orphanAfter === undefined) return;
    await this.ctx.storage.setAlarm(Date.now() + orphanAfter);
    if (Date.now() < this.heardAt + orphanAfter) {
      await this.ctx.storage.setAlarm(this.heardAt + orphanAfter);
      return;
    }
    await this.each(this.ledger.all().filter(isLive), (row) => this.object(row).orphan());
  }

  // Orders: admitted here, carried out by the object of the container

  /**
   * Admit orders, each by itself: refused, or with the place to take it to.
   *
   * A start is written down before it is done, so that whoever takes over afterwards
   * sees its run.
   */
  async admit(orders) {
    // In one turn: no newer operator can come between the question and the writing.
    const admitted = orders.map((order) => this.refusal(order.epoch) ?? this.admitted(order));
    if (admitted.some((one) => one.refused?.code !== "stale_operator")) await this.called();
    return admitted;
  }

  admitted({ op, name, run, ...order }) {
    const row = this.ledger.find(name);
    const leaving = this.ledger.leaving(name);
    if (op === "start") {
      const highest = this.ledger.floor(name);
      if (run < highest) return refuse(409, "stale_run", "a higher run was seen", { name, run, highest });
      if (run === highest && row?.run !== run) return refuse(409, "stale_run", "the run is over", { name, run, highest });
      const place = { binding: order.binding, jurisdiction: order.jurisdiction ?? null, hint: order.location_hint ?? null };
      const before = [...leaving, ...(row ? [placeOf(row)] : [])].filter((one) => !isSamePlace(one, place));
      this.ledger.enrol(name, { ...place, run, leaving: before });
      return { place, before };
    }
    if (op === "forget" && row && run < row.run) {
      return refuse(409, "stale_run", "a higher run was seen", { name, run, highest: row.run });
    }
    if (op !== "forget") this.ledger.close(name, run, Date.now());
    if (row) return { place: placeOf(row), before: leaving };
    if (op !== "forget") {
      this.ledger.append({ type: "ended", name, run, at: Date.now(), end: { kind: "stopped", raw: "nobody knows it", at: Date.now() } });
      this.ring();
    }
    return { done: { name, run, phase: "none" } };
  }

  /** A container has left one of the places where it was before. */
  left(name, place) {
    const still = this.ledger.leaving(name).filter((one) => !isSamePlace(one, place));
    this.ledger.setLeaving(name, still);
  }

  /** Take a container off the list; its object has forgotten it. */
  dropped(name, run) {
    this.ledger.drop(name, run, Date.now());
  }

  // News

  /** Keep what a container says of itself, and its news; durable when this returns. */
  record(view, news) {
    this.ledger.keepView(view.name, view);
    if (this.ledger.hear(view.name, view.incarnation, news)) this.ring();
  }

  /** News after a cursor; waits for the first one. */
  async events({ after, limit, wait, epoch }) {
    const stale = epoch === undefined ? undefined : await this.stale(epoch);
    if (stale) return stale;
    const generation = this.ledger.fact("generation");
    const [of, number] = after.split(":");
    const known = of === generation && /^\d{1,15}$/.test(number ?? "") && Number(number) <= this.ledger.ends().last;
    const seq = known ? Number(number) : 0;
    const until = Date.now() + wait;
    let events = this.ledger.after(seq, limit);
    while (events.length === 0 && Date.now() < until) {
      await this.rung(until - Date.now());
      const newer = epoch === undefined ? undefined : await this.stale(epoch);
      if (newer) return newer;
      events = this.ledger.after(seq, limit);
    }
    const gap = seq < this.ledger.ends().first - 1;
    return {
      cursor: `${generation}:${events.at(-1)?.seq ?? seq}`,
      lost: (after !== "" && !known) || (known && gap),
      events: events.map(({ seq: place, ...event }) => ({ cursor: `${generation}:${place}`, ...event })),
    };
  }

  /** The operator has written down all up to a cursor; it is not needed here any more. */
  async acknowledge({ cursor, epoch }) {
    const stale = epoch === null || epoch === undefined ? undefined : await this.stale(epoch);
    if (stale) return stale;
    const [of, number] = cursor.split(":");
    if (of !== this.ledger.fact("generation") || !/^\d{1,15}$/.test(number ?? "")) {
      return refuse(409, "unknown_cursor", "the cursor is of another feed");
    }
    this.ledger.acknowledge(Number(number));
    return {};
  }

  ring() {
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  rung(limit) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limit);
      this.waiting.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  // Looks

  /** Every container of the fleet as it is now; what lives is asked itself. */
  async list({ epoch }) {
    const stale = epoch === undefined ? undefined : await this.stale(epoch);
    if (stale) return stale;
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
  async loads({ epoch }) {
    const stale = epoch === undefined ? undefined : await this.stale(epoch);
    if (stale) return stale;
    const ask = (row) => this.object(row).load();
    return { loads: await borneBy(this.ledger.all().filter(isLive), this.each.bind(this), ask) };
  }

  /** One container as it is now. */
  async state(name) {
    const row = this.ledger.find(name);
    return row ? this.lookAt(row, true) : refuse(404, "not_found", `no container ${name} is known`, { name });
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

  /** Say where containers are that an operator wants to ask; each by itself, as orders. */
  async places(questions) {
    const refused = questions.map(({ epoch }) => (Number.isInteger(epoch) ? this.refusal(epoch) : undefined));
    if (questions.some(({ epoch }, at) => Number.isInteger(epoch) && !refused[at])) await this.called();
    return questions.map(({ name }, at) => refused[at] ?? this.place(name));
  }

  place(name) {
    const row = this.ledger.find(name);
    return row ? placeOf(row) : refuse(404, "not_found", `no container ${name} is known`, { name });
  }

  object(row) {
    return objectOf(this.env, { ...placeOf(row), fleet: this.fleet, name: row.name });
  }

  /** The fleet's name: told with every call, kept for alarms; read once, not for each look. */
  get fleet() {
    return (this.knownFleet ??= this.ledger.fact("fleet") ?? "");
  }

  async named(fleet) {
    if (this.fleet !== fleet) this.ledger.setFact("fleet", fleet);
    this.knownFleet = fleet;
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

/** @returns the stub of the object of one container */
export function objectOf(env, { binding, jurisdiction, hint, fleet, name }) {
  const namespace = jurisdiction ? env[binding].jurisdiction(jurisdiction) : env[binding];
  const options = hint ? { locationHint: hint } : {};
  return namespace.get(namespace.idFromName(`${fleet}/${name}`), options);
}

function placeOf({ binding, jurisdiction, hint }) {
  return { binding, jurisdiction, hint };
}

function isSamePlace(one, other) {
  return one.binding === other.binding && (one.jurisdiction ?? null) === (other.jurisdiction ?? null);
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
