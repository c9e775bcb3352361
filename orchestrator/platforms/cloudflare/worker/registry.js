// The registry of a fleet: the list of its containers, their merged news, the one operator
// whose orders count, its lease, and the fleet's journal. It is asked before every order
// and told of every event, and never on the way of the containers' own traffic.
//
// Note [One turn]. Who is stale, where the journal ends and what is written behind it is
// one stretch of code without an await: no other request comes in between. What it wrote
// is one transaction, and durable before the answer leaves: the output gate of an object
// holds every message back until what was written before is confirmed (Cloudflare,
// "Durable Objects: Easy, Fast, Correct - Choose three"; ActorSqlite in workerd).

import { DurableObject } from "cloudflare:workers";

import { Archive } from "./archive.js";
import { Feed } from "./feed.js";
import { refuse } from "./http.js";
import { Lease } from "./lease.js";
import { Ledger } from "./ledger.js";
import { Looks } from "./looks.js";
import { isSamePlace, placeOf } from "./objects.js";
import { Bell } from "./waiting.js";

/** A request that was on its way for so long does not arrive any more. */
const FLOOR_MS = 3_600_000;

/** How much of the time until it counts as gone an operator may be silent unnoticed. */
const PRESENCE_PARTS = 4;

export class FleetRegistry extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.ledger = new Ledger(ctx.storage.sql);
    this.lease = new Lease(this.ledger);
    this.archive = new Archive(ctx.storage);
    this.feed = new Feed(this.ledger);
    this.looks = new Looks(env, this.ledger, () => this.fleet);
    this.news = new Bell();
    this.changes = new Bell();
    this.calledAt = this.ledger.fact("called_at") ?? 0;
    this.heardAt = this.calledAt;
  }

  // The operator

  /** Grant an epoch higher than any before; every older operator is stale now. */
  async attach({ after, orphan_after_ms: orphanAfter, lease = null }) {
    const now = Date.now();
    const held = this.lease.inForce(now);
    if (held && held.holder !== lease?.holder) return refuse(409, "lease_held", "another operator has the lease", held);
    const epoch = Math.max(this.highest, after) + 1;
    this.ledger.setFact("epoch", epoch);
    this.ledger.setFact("orphan_after_ms", orphanAfter ?? null);
    this.lease.grant(epoch, lease, now);
    const granted = { epoch, generation: this.ledger.fact("generation"), lease: this.lease.inForce(now) };
    this.calledAt = 0;
    await this.called();
    this.succeeded();
    return granted;
  }

  /** Say whether orders of an epoch are stale; the newest operator is noted. */
  async stale(epoch) {
    if (epoch === null || epoch === undefined) return undefined; // not an operator
    const refusal = this.refusal(epoch);
    if (!refusal) await this.called();
    return refusal;
  }

  refusal(epoch) {
    const { highest } = this;
    if (epoch < highest) return refuse(409, "stale_operator", "a newer operator has taken over", { epoch, highest });
    if (epoch > highest) {
      this.ledger.setFact("epoch", epoch);
      this.lease.release(); // it was an older one's
      this.succeeded();
    }
    return undefined;
  }

  get highest() {
    return this.ledger.fact("epoch") ?? 0;
  }

  /** Wake who waits: another operator leads, or nobody. */
  succeeded() {
    this.news.ring();
    this.changes.ring();
  }

  /** Say who has the lease. */
  async leader() {
    return this.lease.inForce(Date.now()) ?? { holder: null, epoch: this.highest };
  }

  /** Renew the lease of the newest operator, if it has one that it did not release. */
  async renew({ epoch }) {
    const stale = this.refusal(epoch);
    if (stale) return stale;
    this.lease.renew(Date.now());
    await this.called();
    const lease = this.lease.inForce(Date.now());
    if (lease?.epoch === epoch) return lease;
    return refuse(409, "stale_operator", "this operator has no lease, or has released it", { epoch, highest: this.highest });
  }

  /** Let another operator take over at once. */
  async release({ epoch }) {
    const stale = this.refusal(epoch);
    if (stale) return stale;
    this.lease.release();
    this.succeeded();
    return {};
  }

  /** Note that an operator is there; written down in parts of the time that matters. */
  async called() {
    const now = Date.now();
    this.heardAt = now;
    this.lease.heard(now);
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
    const isPresent = Date.now() < this.heardAt + orphanAfter;
    await this.ctx.storage.setAlarm((isPresent ? this.heardAt : Date.now()) + orphanAfter);
    // Each alarm is a call of its own: none of them asks more objects than one may.
    if (!isPresent && (await this.looks.orphan())) await this.ctx.storage.setAlarm(Date.now());
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
      this.news.ring();
    }
    return { done: { name, run, phase: "none" } };
  }

  /** A container has left one of the places where it was before. */
  left(name, place) {
    this.ledger.left(name, place);
  }

  /** Take a container off the list; its object has forgotten it. */
  dropped(name, run) {
    this.ledger.drop(name, run, Date.now());
  }

  // News

  /** Keep what a container says of itself, and its news; durable when this returns. */
  record(view, news) {
    this.ledger.keepView(view.name, view);
    if (this.ledger.hear(view.name, view.incarnation, news)) this.news.ring();
  }

  /** News after a cursor; waits for the first one. */
  async events({ after, limit, wait, epoch }) {
    this.ctx.waitUntil(this.looks.afterReturn());
    const until = Date.now() + wait;
    let refused = await this.stale(epoch);
    for (;;) {
      if (refused) return refused;
      const page = this.feed.page(after, limit);
      const left = until - Date.now();
      if (page.events.length > 0 || left <= 0) return page;
      await this.news.rung(left);
      // No sign of life any more: who asked may be gone by now.
      refused = Number.isInteger(epoch) ? this.refusal(epoch) : undefined;
    }
  }

  /** The operator has written down all up to a cursor; it is not needed here any more. */
  async acknowledge({ cursor, epoch }) {
    return (await this.stale(epoch)) ?? this.feed.acknowledge(cursor);
  }

  // The journal

  overview() {
    return this.archive.overview();
  }

  /** Rows after a number; waits for the first one, or for another holder of the lease. */
  async rows({ after, limit, wait }) {
    const until = Date.now() + wait;
    const holder = this.lease.inForce(Date.now())?.holder;
    for (;;) {
      const now = Date.now();
      const lease = this.lease.inForce(now);
      const page = this.archive.page(after, limit);
      if (page.refused) return page;
      const isNews = page.count > 0 || lease?.holder !== holder;
      if (isNews || now >= until) return { lines: page.lines, last: page.last, head: this.archive.head(), lease };
      await this.changes.rung(Math.min(until - now, lease?.expires_in_ms ?? Infinity));
    }
  }

  part({ seq, part }) {
    return this.archive.snapshots.part(seq, part);
  }

  async append({ epoch, ...wish }) {
    const done = await this.written(epoch, () => this.archive.append(wish));
    if (done.refused) return done;
    this.changes.ring();
    return { ...done, lease: this.lease.inForce(Date.now()) };
  }

  stage(part) {
    return this.written(part.epoch, () => this.archive.stage(part, Date.now()));
  }

  keep(facts) {
    return this.written(facts.epoch, () => this.archive.keep(facts));
  }

  begin({ epoch, seq }) {
    return this.written(epoch, () => this.archive.begin({ seq }));
  }

  end({ epoch, ...wish }) {
    return this.written(epoch, () => this.archive.endWith(wish));
  }

  /** Change the journal for the newest operator: all of it or nothing, see Note [One turn]. */
  async written(epoch, change) {
    const stale = this.refusal(epoch);
    if (stale) return stale;
    const done = this.archive.changed(change);
    await this.called();
    return done;
  }

  // Looks

  async list({ epoch, page }) {
    return (await this.stale(epoch)) ?? this.looks.list(page);
  }

  /** What of the owner's traffic each container bears that lives. */
  async loads({ epoch, page }) {
    return (await this.stale(epoch)) ?? this.looks.loads(page);
  }

  state(name) {
    return this.looks.state(name);
  }

  /** Say where containers are that an operator wants to ask; each by itself, as orders. */
  async places(questions) {
    const refused = questions.map(({ epoch }) => (Number.isInteger(epoch) ? this.refusal(epoch) : undefined));
    if (questions.some(({ epoch }, at) => Number.isInteger(epoch) && !refused[at])) await this.called();
    return questions.map(({ name }, at) => refused[at] ?? this.looks.place(name));
  }

  /** The fleet's name: told with every call, kept for alarms; read once, not for each look. */
  get fleet() {
    return (this.knownFleet ??= this.ledger.fact("fleet") ?? "");
  }

  async named(fleet) {
    if (this.fleet !== fleet) this.ledger.setFact("fleet", fleet);
    this.knownFleet = fleet;
  }
}
