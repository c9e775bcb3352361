// A container that does what a test tells it, in the place of `ctx.container`.
//
// What it is told, and whether it runs, outlives the runtime, as a container does. What
// waits for its end does not.

const OVER = "monitor() cannot be called on a container that is not running.";
const KILLED = { message: "Container exited with unexpected exit code: 137", exitCode: 137 };

/** A port on which nothing listens. */
const NO_PORT = 33;

/** Whether it runs, how it ended, what it does when it is called, and the calls. */
const FRESH = { running: false, last: null, plan: {}, listens: true, odd: [], calls: [], whenBack: null };

function settle({ resolve, reject }, outcome) {
  if (outcome.message === undefined) return resolve();
  const error = new Error(outcome.message);
  reject(outcome.exitCode === undefined ? error : Object.assign(error, { exitCode: outcome.exitCode }));
}

class Scripted {
  constructor(kept) {
    this.kept = kept;
    this.pending = [];
    this.commands = [];
    const { whenBack } = this.state;
    if (whenBack) this.put({ ...whenBack, whenBack: null });
  }

  get state() {
    return { ...FRESH, ...this.kept.get("scripted") };
  }

  put(changes) {
    this.kept.put("scripted", { ...this.state, ...changes });
  }

  note(...call) {
    this.put({ calls: [...this.state.calls, call] });
  }

  // What the runtime offers

  get running() {
    return this.state.running;
  }

  get images() {
    return new Map([["app", "an-image"]]);
  }

  start(options) {
    this.note("start", options);
    const { running, plan } = this.state;
    if (plan.start) throw new Error(plan.start);
    if (running) throw new Error("start() cannot be called on a container that is already running.");
    this.put({ running: true, last: null });
  }

  monitor() {
    this.note("monitor");
    const { running, last, plan } = this.state;
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      if (running) this.pending.push(waiting);
      else setTimeout(() => settle(waiting, last ?? { message: OVER }), plan.monitorMs ?? 0);
    });
  }

  async destroy() {
    this.note("destroy");
    const { plan, running } = this.state;
    if (plan.destroy === "hangs") await scheduler.wait(600_000);
    if (plan.destroy) throw new Error(plan.destroy);
    if (running) this.end(KILLED);
  }

  signal(number) {
    this.note("signal", number);
    const { plan } = this.state;
    if (plan.signal) throw new Error(plan.signal);
    if (plan.onSignal) this.end(plan.onSignal);
  }

  async setInactivityTimeout(ms) {
    this.note("setInactivityTimeout", ms);
  }

  /** A command in the container; none where the plan says that the runtime has no way. */
  get exec() {
    const { plan } = this.state;
    return plan.exec === "none" ? undefined : (command, options) => this.carryOut(command, options);
  }

  async carryOut(command, options) {
    this.note("exec", command, options);
    const { spawnMs, error, code, ms, endures } = this.state.plan.exec ?? {};
    if (spawnMs) await scheduler.wait(spawnMs);
    if (error) throw new Error(error);
    let end;
    const exitCode = new Promise((resolve) => {
      end = resolve;
      this.commands.push(end);
      if (ms !== null) setTimeout(() => resolve(code ?? 0), ms ?? 0);
    });
    return {
      exitCode,
      kill: (number) => {
        this.note("kill", number);
        if (!endures) end(128 + number);
      },
    };
  }

  /** A connection: "open" as the runtime says in any case, and then what the plan says. */
  connect() {
    this.note("connect");
    const { plan, listens } = this.state;
    const does = plan.connects ?? (listens ? "lasts" : "ends");
    let close;
    const closed = new Promise((resolve) => (close = resolve));
    const readable = new ReadableStream({
      start(controller) {
        if (does === "ends") controller.close();
        if (does === "talks") controller.enqueue(new Uint8Array(1));
      },
    });
    const opened = does === "lasts" || does === "ends" || does === "talks" ? Promise.resolve({}) : Promise.reject(new Error(does));
    return { opened, closed, readable, close: async () => (this.note("close"), close()) };
  }

  getTcpPort(port) {
    return {
      connect: () => this.connect(),
      fetch: async (url, options) => {
        if (this.state.plan.notes) this.note("fetch", port, String(url), { ...options, signal: undefined });
        const { running, listens, odd, plan } = this.state;
        if (plan.fetch) throw new Error(plan.fetch);
        if (!running) throw new Error("Container is not running");
        if (port === NO_PORT) throw new Error(`Container is not listening to port ${port}`);
        if (odd.length > 0) {
          this.put({ odd: odd.slice(1) });
          throw new Error(odd[0]);
        }
        if (!listens) throw new Error(`Container is not listening to port ${port}`);
        if (plan.answersAfterMs) await scheduler.wait(plan.answersAfterMs);
        while (this.state.plan.isHeld) await scheduler.wait(10); // until it is told another plan
        return new Response(String(url instanceof Request ? url.url : url), { status: plan.status ?? 200 });
      },
    };
  }

  // What a test tells it

  /** It ends, and who waits for that is told how. */
  end(outcome) {
    this.put({ running: false, last: outcome });
    this.tellAll(outcome);
  }

  /** The commands in it that run end with a code. */
  endCommands(code) {
    for (const end of this.commands.splice(0)) end(code);
  }

  /** It ends, and nobody is told. */
  vanish() {
    this.put({ running: false, last: null });
  }

  /** Who waits for its end is told something, and it goes on. */
  tellAll(outcome) {
    for (const waiting of this.pending.splice(0)) settle(waiting, outcome);
  }

  calls(name) {
    return this.state.calls.filter(([called]) => called === name).map(([, ...words]) => words);
  }
}

/** @returns the context of an object, with a container that does what it is told */
export function scripted(ctx) {
  const container = new Scripted(ctx.storage.kv);
  Object.defineProperty(ctx, "container", { value: container, configurable: true });
  return ctx;
}
