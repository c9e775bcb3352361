// One run of a container from its beginning to its end, and what is done at each beat.

import { AGAIN_MS, Alarm, BEAT_MS, GONE_MS } from "./alarm.js";
import { classify } from "./classify.js";
import { refuse } from "./http.js";
import { optionsOf } from "./options.js";
import { LOOK_MS, look } from "./ready.js";
import { pause, within } from "./waiting.js";

/** How long a container may outlive its object before it is found again. */
const OUTLIVES_MS = 3_600_000;

/** How long a kill may take to be answered. */
const KILL_LIMIT_MS = 5_000;

/** How long a run may be over for the engine before its end is taken for lost. */
const SETTLES_MS = 10_000;

/** Who has just begun is looked at more often: others wait for its place. */
const SOON_MS = { lasts: 5_000, most: 100 };

/** How a run ends that we end ourselves. */
const WISHES = { stop: "stopped", destroy: "stopped", replace: "stopped", sleep: "slept", orphan: "orphaned" };

/** What is believed of an end that nobody saw, told when it was over. */
const TOLD_LATER = new Set(["out_of_memory", "rollout", "signalled", "no_capacity", "quota", "rate_limited", "start_failed"]);

/** A watch that breaks off like this says nothing of a container that still runs. */
const IN_DOUBT = new Set(["engine_lost", "timed_out", "overloaded", "unknown"]);

export class Run {
  constructor(ctx, memory, post) {
    this.ctx = ctx;
    this.container = ctx.container;
    this.memory = memory;
    this.post = post;
    this.alarm = new Alarm(this, ctx.storage);
    this.watching = null;
    this.seeking = null;
    this.watchedAt = 0;
    this.stoppedAt = null;
    this.touchedAt = 0;
  }

  get record() {
    return this.memory.record;
  }

  /** When it was last used: as written down, or as this object has seen since. */
  get usedAt() {
    return Math.max(this.record.active_at, this.touchedAt);
  }

  get isLive() {
    return this.record.phase === "starting" || this.record.phase === "running";
  }

  /** Whether what lives runs, and is watched. */
  get isWell() {
    return Boolean(this.container?.running && this.watching);
  }

  // The beginning

  /** Write the run down, then start it; what keeps it from starting is its end. */
  async begin(order) {
    this.memory.begin(order, Date.now());
    await this.alarm.arm();
    await this.ctx.storage.sync();
    try {
      this.container.start(optionsOf(order, this.container.images));
    } catch (error) {
      const { kind, raw } = classify(error);
      this.finish(order.run, { kind: kind === "unknown" ? "start_failed" : kind, raw });
      return;
    }
    this.watch();
    this.attend();
  }

  /** Find a live run again: after an eviction, a code update, a crash of the machine. */
  find() {
    if (this.container?.running) {
      this.watch();
      this.attend();
    } else {
      this.later(() => this.mourn());
    }
  }

  /** Keep a run that goes on while nobody looks, and see to its readiness. */
  attend() {
    const outlives = Math.max(OUTLIVES_MS, this.record.sleep_after_ms ?? 0);
    this.later(() => this.container.setInactivityTimeout?.(outlives));
    this.seekReady();
  }

  /** Look at the ports until they listen; at most one search is under way. */
  seekReady() {
    const { run, ready_at: readyAt } = this.record;
    if (readyAt || this.seeking === run) return;
    this.seeking = run;
    this.later(() =>
      this.untilReady(run).finally(() => {
        if (this.seeking === run) this.seeking = null;
      }),
    );
  }

  async untilReady(run) {
    let delay = LOOK_MS[0];
    const awaited = () => this.isLive && this.record.run === run && !this.record.ready_at && !this.record.intent;
    while (awaited()) {
      const seen = await look(this.container, this.record.wait_for);
      if (!this.isLive || this.record.run !== run) return;
      const now = Date.now();
      if (seen !== "down" && !this.record.started_at) this.tell("started", now, { phase: "running", started_at: now });
      if (seen === "listening") this.tell("ready", now, { ready_at: now, active_at: now });
      else await pause(now > this.record.start_deadline ? LOOK_MS[2] : delay);
      delay = Math.min(delay * 1.5, now < this.record.begun_at + SOON_MS.lasts ? SOON_MS.most : LOOK_MS[1]);
    }
  }

  tell(type, at, changes) {
    const { run, ports, application } = this.memory.put(changes);
    this.memory.tell({ type, run, at, ports, application });
    this.deliver();
  }

  /** Tell once more what has become of the run: who asks again may not have heard it. */
  retell() {
    const { run, ports, application, started_at: startedAt, ready_at: readyAt, end } = this.record;
    const facts = { run, ports, application };
    if (end) this.memory.tell({ type: "ended", run, at: end.at, end, started: startedAt !== null });
    else if (readyAt) this.memory.tell({ type: "ready", at: readyAt, ...facts });
    else if (startedAt) this.memory.tell({ type: "started", at: startedAt, ...facts });
    this.deliver();
  }

  // The end

  /** Wait for the end of the run; a watch that was overtaken changes nothing. */
  watch() {
    const { run } = this.record;
    this.watchedAt = Date.now();
    const watching = this.container.monitor().then(
      () => ({ kind: "exited", code: 0, raw: "" }),
      (error) => classify(error),
    );
    this.watching = watching;
    this.later(async () => this.settle(run, await watching, watching));
  }

  settle(run, end, watching) {
    if (!this.isLive || this.record.run !== run) return undefined;
    const isReset = end.kind === "object_reset";
    if (!isReset && (!this.container.running || !IN_DOUBT.has(end.kind))) return this.finish(run, end);
    // The object or the engine was lost, not the container, as far as anybody knows.
    if (this.watching === watching) this.watching = null;
    if (isReset) return this.alarm.arm();
    const now = Date.now();
    this.memory.put({ problem: { kind: end.kind, raw: end.raw, at: now } });
    this.memory.tell({ type: "errored", run, at: now, cause: end.raw });
    return this.deliver();
  }

  /** Learn how a run ended that was over when the object woke up, if anybody knows. */
  async mourn() {
    const { run } = this.record;
    this.watching = (async () => this.container.monitor())().then(() => undefined, classify);
    const told = await this.watching;
    const isTold = told !== undefined && (told.code !== undefined || TOLD_LATER.has(told.kind));
    if (this.container?.running) this.find();
    else this.finish(run, isTold ? told : { kind: "lost", raw: "it was over when its object woke up" });
  }

  /** Write the end of the run down, and tell it. */
  finish(run, end) {
    if (!this.isLive || this.record.run !== run) return;
    const at = Date.now();
    const { intent, sleep_after_ms: sleeps, started_at: startedAt, closed } = this.record;
    const idle = end.kind === "signalled" && sleeps !== null ? "slept" : undefined;
    const kind = WISHES[intent?.kind] ?? idle ?? end.kind;
    const told = { ...end, kind, at, ...(kind === end.kind ? {} : { was: end.kind }) };
    this.memory.put({ phase: "ended", closed: Math.max(closed, run), intent: null, end: told });
    this.memory.tell({ type: "ended", run, at, end: told, started: startedAt !== null });
    this.watching = null;
    this.stoppedAt = null;
    this.deliver();
  }

  /** Signal the container, and have an alarm kill it after the grace. */
  async ask(kind, signal, graceMs) {
    const killAt = Date.now() + graceMs;
    const before = this.record.intent?.kill_at ?? killAt;
    this.memory.put({ intent: { kind, kill_at: Math.min(before, killAt) } });
    await this.alarm.arm();
    try {
      this.container.signal(signal);
    } catch (error) {
      const { kind: why } = classify(error);
      if (why !== "not_running") this.later(() => this.kill(kind));
    }
    if (graceMs === 0) this.later(() => this.kill(kind));
  }

  /** Kill the container now; the end is told by whoever watches. */
  async kill(kind) {
    const { run } = this.record;
    this.memory.put({ intent: { kind, kill_at: Date.now() } });
    await this.alarm.arm();
    try {
      await within(KILL_LIMIT_MS, this.container.destroy());
    } catch (error) {
      if (this.isLive && this.record.run === run) this.memory.put({ problem: { ...classify(error), at: Date.now() } });
    }
    await this.alarm.arm();
  }

  /** Make room for another run: what runs is killed, and its end told; or say why not. */
  async clear() {
    const { run } = this.record;
    if (this.container?.running) {
      await this.kill("replace");
      await Promise.race([this.watching, pause(AGAIN_MS)]);
      if (this.container.running) return refuse(503, "unreachable", "what runs here could not be stopped", { run });
    }
    this.finish(run, { kind: "stopped", raw: "another run replaced it" });
    return undefined;
  }

  // Alarms

  /** Do what is due. */
  async beat() {
    const now = Date.now();
    const { intent, phase, gone_at: goneAt, sleep_after_ms: sleeps, ready_at: readyAt } = this.record;
    if (phase === "gone" && now >= goneAt + GONE_MS && !this.memory.hasNews()) {
      await this.ctx.storage.deleteAll();
      this.memory.open();
      return;
    }
    if (this.isLive && intent && now >= intent.kill_at && this.container.running) await this.kill(intent.kind);
    if (this.isLive && !intent && sleeps !== null && readyAt && now >= this.usedAt + sleeps) {
      await this.ask("sleep", this.record.stop.signal, this.record.stop.grace_ms);
    }
    this.keepWatch(now);
    await this.post.deliver();
  }

  /** Renew the watch of what runs; what is over and unsettled for too long is lost. */
  keepWatch(now) {
    if (!this.isLive) return;
    if (this.container?.running) {
      this.stoppedAt = null;
      if (!this.watching || now >= this.watchedAt + BEAT_MS) this.watch();
      this.seekReady();
      return;
    }
    this.stoppedAt ??= now;
    if (!this.watching || now >= this.stoppedAt + SETTLES_MS) {
      const raw = this.record.problem?.raw ?? "the engine does not run it, and told no end";
      this.finish(this.record.run, { kind: "lost", raw });
    }
  }

  // Steps that nobody waits for

  /** Hand the news to the registry, now and, where it fails, by the alarm. */
  deliver() {
    this.later(async () => {
      await this.alarm.arm();
      await this.post.deliver();
      await this.alarm.arm();
    });
  }

  /** Run a step on the side; what goes wrong in it is remembered. */
  later(step) {
    const done = (async () => step())().catch((error) => {
      this.memory.put({ problem: { ...classify(error), at: Date.now() } });
    });
    this.ctx.waitUntil(done);
  }
}
