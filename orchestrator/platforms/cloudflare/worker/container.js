// The object of one container: the only one that starts and stops it.
//
//   none --start--> starting --up--> running --end--> ended --forget--> gone
//
// An order is keyed by its run: the same once more does nothing, a lower one is
// refused. Everything is written down before it is done, every end becomes news, and
// news stay in the outbox until the registry of the fleet has them.

import { DurableObject } from "cloudflare:workers";

import { classify } from "./classify.js";
import { refuse } from "./http.js";
import { Memory } from "./memory.js";
import { Post } from "./post.js";
import { Prober } from "./probe.js";
import { Run } from "./run.js";
import { Traffic } from "./traffic.js";

/** If something in an alarm fails, the next one comes after so long. */
const FALLBACK_MS = 60_000;

export class FleetContainer extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.container = ctx.container;
    this.memory = new Memory(ctx.storage.sql);
    const registryOf = (fleet) => env.REGISTRY.get(env.REGISTRY.idFromName(fleet));
    this.post = new Post(this.memory, registryOf, () => this.shown());
    this.run = new Run(ctx, this.memory, this.post);
    this.prober = new Prober(ctx.container);
    this.traffic = new Traffic();
    this.turn = Promise.resolve();
    if (this.run.isLive) this.run.find();
  }

  get record() {
    return this.memory.record;
  }

  // Orders, one after the other

  /** Start a run; the answer is that it was taken on. */
  start(order) {
    return this.alone(async () => {
      const { name, run, application } = order;
      if (!this.container) return refuse(409, "no_application", `${application}: no container is bound to this class`);
      const highest = Math.max(this.record.run, this.record.closed);
      if (run === this.record.run && this.record.phase !== "gone") return this.again();
      if (run <= highest) return refuse(409, "stale_run", "this run, or a higher one, is over", { name, run, highest });
      const left = await this.run.clear();
      if (left) return left;
      await this.run.begin(order);
      return this.shown();
    });
  }

  /** End a run, and any before it: signal, wait for the grace, kill. */
  stop(order) {
    return this.alone(async () => {
      const isKilled = this.record.intent?.kind === "destroy";
      if (this.isUpTo(order) && !isKilled) await this.run.ask("stop", order.signal, order.grace_ms);
      return this.has(order) ? this.shown() : this.closeUnseen(order);
    });
  }

  /** Kill a run, and any before it, now. */
  destroy(order) {
    return this.alone(async () => {
      if (this.isUpTo(order)) this.run.later(() => this.run.kill("destroy"));
      return this.has(order) ? this.shown() : this.closeUnseen(order);
    });
  }

  /** Remove what is kept of a container at rest; its runs stay refused for a while. */
  forget(order) {
    return this.alone(async () => {
      if (this.run.isLive) return refuse(409, "not_stopped", "the container runs", { run: this.record.run });
      await this.vanish(order.run);
      return { ...this.shown(), name: order.name };
    });
  }

  /** Leave the container to another object: it is to run somewhere else. */
  retire(order) {
    return this.alone(async () => {
      if (this.record.run > order.run) return undefined; // it came back here meanwhile
      const left = await this.run.clear();
      if (left) return left;
      await this.vanish(order.run - 1);
      return undefined;
    });
  }

  /** Stop it because no operator has called for too long. */
  orphan() {
    return this.alone(async () => {
      const { signal, grace_ms } = this.record.stop;
      if (this.run.isLive && !this.record.intent) await this.run.ask("orphan", signal, grace_ms);
      return this.shown();
    });
  }

  /** Answer a start that was done before: nothing is done, and its news are told anew. */
  again() {
    this.run.retell();
    return this.shown();
  }

  has(order) {
    return this.run.isLive && order.run === this.record.run;
  }

  /** Whether what runs is the run of an order, or one before it. */
  isUpTo(order) {
    return this.run.isLive && this.record.run <= order.run;
  }

  async vanish(run) {
    const closed = Math.max(this.record.closed, this.record.run, run);
    this.memory.put({ phase: "gone", closed, gone_at: Date.now(), end: null, problem: null });
    await this.run.alarm.arm();
  }

  /** Take note that a run is over which does not run here, and tell so. */
  closeUnseen(order) {
    const { run, closed, phase, fleet } = this.record;
    const changes = { closed: Math.max(closed, order.run) };
    if (!fleet) Object.assign(changes, { fleet: order.fleet, name: order.name, incarnation: crypto.randomUUID() });
    this.memory.put(changes);
    if (order.run === run && phase === "ended") return this.again();
    const end = { kind: "stopped", raw: "it was not here", at: Date.now() };
    this.memory.tell({ type: "ended", run: order.run, at: end.at, end, started: false });
    this.run.deliver();
    return this.shown();
  }

  /** Run a step after those that were asked for before. */
  alone(step) {
    const done = this.turn.then(async () => {
      await this.run.alarm.wake();
      return step();
    });
    this.turn = done.catch(() => {});
    return done;
  }

  // Questions

  /** Say where the container is; also what an object does that has just woken up. */
  async look() {
    await this.notice();
    return this.shown();
  }

  /** Notice what has become of it while nobody looked. */
  async notice() {
    await this.run.alarm.wake();
    this.run.keepWatch(Date.now());
    if (this.run.stoppedAt) await this.run.alarm.arm(); // it is over, and nobody has told so yet
  }

  /** Say how much of the owner's traffic it bears; this is no use of it. */
  load() {
    return { run: this.record.run, ...this.traffic.told() };
  }

  /** Say what the runtime offers here. */
  features() {
    const container = this.container;
    const has = (method) => typeof container?.[method] === "function";
    const images = container?.images;
    return {
      container: Boolean(container),
      exec: has("exec"),
      inspect: has("inspect"),
      snapshots: has("snapshotContainer"),
      images: images instanceof Map ? [...images.keys()] : Object.keys(images ?? {}),
    };
  }

  /**
   * Ask the container of a run whether it is well. It is no use of the container: who is
   * asked falls asleep as if nobody had asked.
   */
  async probe({ name, run: asked, ...question }) {
    await this.notice();
    const { run, closed } = this.record;
    const wanted = asked ?? run;
    const highest = Math.max(run, closed);
    if (wanted !== run) return refuse(409, "stale_run", "another run is here, or none", { name, run: wanted, highest });
    const began = Date.now();
    const found = this.isAt(run) ? await this.prober.ask(run, question) : undefined;
    // What was found of one that ended meanwhile, or is being stopped, says nothing.
    if (!this.isAt(run)) return refuse(409, "not_running", "the container does not run, or is being stopped", { run });
    return found.refused ? found : { run, ...found, elapsed_ms: Date.now() - began };
  }

  /** Whether a run lives, and nobody is ending it. */
  isAt(run) {
    return this.run.isLive && this.record.run === run && !this.record.intent && this.container.running;
  }

  /** Pass the owner's own traffic on: to the port that it names, or the first one. */
  async fetch(request) {
    await this.run.alarm.wake();
    const port = Number(request.headers.get("cf-container-target-port") ?? Object.values(this.record.ports)[0]);
    if (!this.run.isLive || !(Number.isInteger(port) && port > 0 && port < 65_536)) {
      return Response.json({ code: "not_running", message: "the container does not run", details: {} }, { status: 503 });
    }
    this.touch();
    const sleeps = this.record.sleep_after_ms;
    const touching = sleeps === null ? undefined : setInterval(() => this.touch(), sleeps / 4);
    try {
      const url = new URL(request.url);
      url.protocol = "http:";
      return await this.traffic.during(() => this.container.getTcpPort(port).fetch(new Request(url, request)));
    } catch (error) {
      const { kind, raw } = classify(error);
      return Response.json({ code: kind, message: raw, details: {} }, { status: 503, headers: { "retry-after": "1" } });
    } finally {
      clearInterval(touching);
      this.touch();
    }
  }

  /** Note that it is used; written down now and then only. */
  touch() {
    const now = Date.now();
    this.run.touchedAt = now;
    const every = (this.record.sleep_after_ms ?? Infinity) / 4;
    if (now - this.record.active_at > every) this.memory.put({ active_at: now });
  }

  shown() {
    return this.memory.view({ id: this.ctx.id.toString(), running: Boolean(this.container?.running), now: Date.now() });
  }

  // Alarms

  /** Do what is due; the next alarm is set first, so that a fault here loses nothing. */
  async alarm() {
    await this.ctx.storage.setAlarm(Date.now() + FALLBACK_MS);
    try {
      await this.run.beat();
    } finally {
      await this.run.alarm.arm();
    }
  }
}
