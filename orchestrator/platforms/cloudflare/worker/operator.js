// The object of the hosted operator: it keeps one container alive in which the fleet's
// own operator runs, and passes on what is asked of it.
//
// What becomes of it is decided by `operator_states`; here it is written down, done, and
// looked at again when the alarm says so. The environment that it is started with holds
// secrets of the Worker: nothing of it is kept but a digest, and nothing is told.

import { DurableObject } from "cloudflare:workers";

import { classify } from "./classify.js";
import { absent } from "./http.js";
import { FRESH, isAlive, isAsked, nextLook, step } from "./operator_states.js";
import { within } from "./waiting.js";

/** How long a question about its health may take. */
const HEALTH_LIMIT_MS = 5_000;

/** If something in an alarm fails, the next one comes after so long. */
const FALLBACK_MS = 30_000;

/** An alarm so late is taken for lost. */
const LATE_MS = 5_000;

/** How long a kill, or the end of what is over, may take to be told. */
const ENDING_LIMIT_MS = 5_000;

/** How long it may be over for the engine before its end is taken for lost. */
const SETTLES_MS = 10_000;

/** Between two renewals of the watch of what runs. */
const WATCH_MS = 300_000;

/** How long the container may outlive its object before it is found again. */
const OUTLIVES_MS = 3_600_000;

/** What asks a process to leave in good order. */
const TERM = 15;

/** A watch that breaks off like this says nothing of a container that still runs. */
const IN_DOUBT = new Set(["engine_lost", "timed_out", "overloaded", "unknown"]);

export class OperatorContainer extends DurableObject {
  /**
   * What it runs; the class of a project says it, and nothing is run where none does.
   * `secrets` and `optional` are the names that it has for what the Worker keeps under
   * another one.
   */
  static hosting = { fleet: "", port: 8_400, health: "/healthz", secrets: {}, optional: {}, retired: true };

  constructor(ctx, env) {
    super(ctx, env);
    this.container = ctx.container;
    this.record = { ...FRESH, ...ctx.storage.kv.get("record") };
    this.watching = null;
    this.watchedAt = 0;
    this.overSince = null;
    this.healthLimitMs = HEALTH_LIMIT_MS;
    this.beating = null;
    this.turn = Promise.resolve();
    if (isAlive(this.record) || this.container?.running) this.later(() => this.beat());
  }

  get hosting() {
    return { ...OperatorContainer.hosting, ...this.constructor.hosting };
  }

  // What the Worker asks

  /** Say how it is. */
  async told() {
    await this.ensure();
    const { wanted, stopped_by, state, since, starts, restarts, failures, healthy_at, due, last_end } = this.record;
    const next = state === "waiting" ? due : null;
    const facts = { wanted, stopped_by, state, since, starts, restarts, failures, healthy_at };
    return { fleet: this.hosting.fleet, ...facts, next_start_at: next, last_end, now: Date.now() };
  }

  /** Have it run, or not. */
  async want(wish) {
    await this.alone(() => this.take({ type: "wanted", wanted: wish }));
    return this.told();
  }

  /** See that the alarm is set; called by the clock of the Worker. */
  async ensure() {
    // What only its project has stopped is wanted again: no alarm looks at what is stopped.
    if (this.record.stopped_by === "project") await this.alone(() => this.look());
    const at = await this.ctx.storage.getAlarm();
    if (at === null || at < Date.now() - LATE_MS) await this.arm();
  }

  /** Pass a request on as it is; its answer comes back as it is, however long it lasts. */
  async fetch(request) {
    if (!this.container?.running) return absent(`the operator is ${this.record.state}`);
    const url = new URL(request.url);
    url.protocol = "http:";
    try {
      return await this.container.getTcpPort(this.hosting.port).fetch(new Request(url, request));
    } catch (error) {
      return absent(`the operator does not answer: ${classify(error).kind}`);
    }
  }

  // Alarms

  /** Look, ask, and do what follows; the next alarm is set first. */
  async alarm() {
    await this.ctx.storage.setAlarm(Date.now() + FALLBACK_MS);
    try {
      await this.beat();
    } finally {
      await this.arm();
    }
  }

  /** Look once, and ask once; who comes meanwhile waits for the same. */
  beat() {
    this.beating ??= this.beatOnce().finally(() => {
      this.beating = null;
    });
    return this.beating;
  }

  async beatOnce() {
    await this.alone(() => this.look());
    const { starts } = this.record;
    if (!isAsked(this.record)) return;
    // Nobody waits for the answer but this beat: what is wanted meanwhile is done.
    const well = await this.isWell();
    await this.alone(() => (this.record.starts === starts ? this.take({ type: "answered", well }) : undefined));
  }

  /** Set the alarm to the next look. */
  async arm() {
    const now = Date.now();
    const at = nextLook(this.record, now);
    if (at === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(Math.max(now, at));
  }

  /** Run a step after those that were asked for before. */
  alone(act) {
    const done = this.turn.then(act);
    this.turn = done.catch(() => {});
    return done;
  }

  /** Take note of an event: write down what follows, then do it. */
  async take(event) {
    const { record, does } = step(this.record, { ...event, at: Date.now() });
    if (record !== this.record) {
      this.record = record;
      this.ctx.storage.kv.put("record", record);
      await this.arm();
    }
    for (const act of does) await this[act]();
  }

  /** Look at its container: watch what runs, notice what is over or outdated. */
  async look() {
    const running = Boolean(this.container?.running);
    const now = Date.now();
    if (running) {
      this.overSince = null;
      if (!this.watching || now >= this.watchedAt + WATCH_MS) this.watch();
      if (isAsked(this.record) && (await this.isOutdated())) await this.take({ type: "outdated" });
    } else if (isAlive(this.record)) {
      await this.mourn(now);
    }
    const { wanted, stopped_by: by } = this.record;
    if (this.hosting.retired && wanted === "running") await this.take({ type: "wanted", wanted: "stopped", by: "project" });
    if (!this.hosting.retired && by === "project") await this.take({ type: "wanted", wanted: "running" });
    await this.take({ type: "looked", running: Boolean(this.container?.running) });
  }

  // Its container

  async start() {
    const { env, missing } = this.environment();
    if (!this.container) return this.take({ type: "ended", end: { kind: "no_application", raw: "no container is bound to this class" } });
    if (missing.length > 0) return this.take({ type: "ended", end: { kind: "not_configured", raw: `the secret ${missing.join(", ")} of the Worker is not set` } });
    this.ctx.storage.kv.put("started_with", await digest(env));
    await this.ctx.storage.sync();
    try {
      this.container.start(this.optionsOf(env));
    } catch (error) {
      const { kind, raw } = classify(error);
      if (kind !== "already_running") return this.take({ type: "ended", end: { kind: kind === "unknown" ? "start_failed" : kind, raw } });
    }
    this.watch();
    return undefined;
  }

  optionsOf(env) {
    return { env, enableInternet: true, labels: { fleet: this.hosting.fleet, operator: "hosted" } };
  }

  /** Ask it to leave; an alarm kills it after the grace. */
  signal() {
    try {
      this.container.signal(TERM);
    } catch (error) {
      if (classify(error).kind !== "not_running") this.later(() => this.destroy());
    }
  }

  /** Kill it; its end is told by whoever watches. What fails is tried at the next look. */
  async destroy() {
    try {
      await within(ENDING_LIMIT_MS, this.container.destroy());
    } catch (error) {
      console.warn(`the operator could not be killed: ${classify(error).kind}`);
    }
  }

  /** Wait for its end; a watch that was overtaken changes nothing. */
  watch() {
    this.watchedAt = Date.now();
    const watching = endOf(this.container);
    this.watching = watching;
    this.later(async () => {
      const end = await watching;
      await this.alone(() => (this.watching === watching ? this.settle(end) : undefined));
    });
    this.later(() => this.container.setInactivityTimeout?.(OUTLIVES_MS));
  }

  async settle(end) {
    this.watching = null;
    if (end.kind === "object_reset" || (this.container.running && IN_DOUBT.has(end.kind))) return;
    await this.take({ type: "ended", end });
  }

  /** Learn how it ended, of what is over and told no end. */
  async mourn(now) {
    this.overSince ??= now;
    if (this.watching && now < this.overSince + SETTLES_MS) return;
    const lost = { kind: "lost", raw: "it was over when its object looked" };
    const asked = this.container && !this.watching;
    const told = asked ? await within(ENDING_LIMIT_MS, endOf(this.container)).catch(() => lost) : lost;
    // Of a container that was never watched "it exited with 0" is no news of an end.
    const isKnown = told.kind !== "not_running" && told.kind !== "unknown" && told.code !== 0;
    this.watching = null;
    await this.take({ type: "ended", end: isKnown ? told : lost });
  }

  /** Ask whether it is well; who says nothing in time is not. */
  async isWell() {
    const { port, health } = this.hosting;
    try {
      const signal = AbortSignal.timeout(this.healthLimitMs);
      // By this name for itself: it takes no request that is meant for another one.
      const asked = this.container.getTcpPort(port).fetch(`http://127.0.0.1:${port}${health}`, { redirect: "manual", signal });
      const answer = await within(2 * this.healthLimitMs, asked);
      await answer.body?.cancel();
      return answer.ok;
    } catch {
      return false;
    }
  }

  // What it is started with

  /** Its environment, out of the secrets of the Worker; and which of them are missing. */
  environment() {
    const { secrets, optional } = this.hosting;
    const missing = Object.values(secrets).filter((secret) => !this.env[secret]);
    const there = Object.entries({ ...optional, ...secrets }).filter(([, secret]) => this.env[secret]);
    return { env: Object.fromEntries(there.map(([key, secret]) => [key, this.env[secret]])), missing };
  }

  /** Whether it runs with secrets that have changed since. */
  async isOutdated() {
    const { env, missing } = this.environment();
    const before = this.ctx.storage.kv.get("started_with");
    return missing.length === 0 && before !== undefined && before !== (await digest(env));
  }

  /** Run a step on the side; what goes wrong in it is in the log. */
  later(act) {
    const done = (async () => act())().catch((error) => {
      console.warn(`a step of the operator's object failed: ${classify(error).kind}`);
    });
    this.ctx.waitUntil(done);
  }
}

/** Wait until a container ends; never rejected. */
function endOf(container) {
  const ends = (async () => container.monitor())();
  return ends.then(() => ({ kind: "exited", code: 0, raw: "" }), classify);
}

async function digest(env) {
  const text = JSON.stringify(Object.entries(env).sort(([one], [other]) => (one < other ? -1 : 1)));
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
