// Asking a container whether it is well: over HTTP, by a connection, or by a command
// within it.
//
// What is told is a status, an exit code or the kind of an error; never what a page, a
// command or the platform has said: that could hold a secret.

import { classify } from "./classify.js";
import { refuse } from "./http.js";
import { isUp } from "./ready.js";
import { pause } from "./waiting.js";

/** How long a container may take to answer, unless the question says. */
const PROBE_LIMIT_MS = 2_000;

/**
 * A connection that has lasted so long was taken. The runtime says that it is open in any
 * case; where nothing listens it ends within some milliseconds, and on a machine that has
 * ten times as much to do as it can, within some hundreds. Who is taken too soon for one
 * that listens is called ready. Of a shorter question, half of its time counts.
 */
const TAKEN_MS = 1_000;

/** The signal for a command that was given up: SIGKILL. */
const KILL = 9;

/** Errors of a port that may be the platform's as well as the container's. */
const DOUBTFUL = new Set(["engine_lost", "unknown"]);

export class Prober {
  constructor(container) {
    this.container = container;
    this.commands = new Map();
    this.run = null;
  }

  /**
   * Ask the container of a run once.
   *
   * @returns {Promise<{status: number} | {opened: true} | {code: number} | {refused: object}
   *   | {error: string, up?: true}>} up: the container itself was reached all the same
   */
  async ask(run, { kind, timeout_ms: limit, ...question }) {
    if (this.run !== run) this.commands.clear();
    this.run = run;
    const ways = { http: this.http, tcp: this.tcp, command: this.command };
    const found = await this.inTime(limit ?? PROBE_LIMIT_MS, (time) => ways[kind ?? "http"].call(this, question, time));
    if (kind === "command" || !DOUBTFUL.has(found.error)) return found;
    return (await isUp(this.container)) ? { ...found, up: true } : found;
  }

  /** Take a step that may take so long; what it left under way is ended then. */
  async inTime(limit, step) {
    const ending = new AbortController();
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve({ error: "timed_out" }), limit);
    });
    try {
      return await Promise.race([step({ limit, signal: ending.signal }), late]);
    } catch (error) {
      return { error: classify(error).kind };
    } finally {
      clearTimeout(timer);
      ending.abort();
    }
  }

  /** Ask for a page; a redirect is not followed, and what the page says is not read. */
  async http({ port, path, method, headers }, { signal }) {
    const request = { method: method ?? "GET", headers: headers ?? {}, redirect: "manual", signal };
    const answer = await this.container.getTcpPort(port).fetch(`http://container${path ?? "/"}`, request);
    await answer.body?.cancel();
    return { status: answer.status };
  }

  /** Open a connection, and see whether it lasts; nothing is sent. */
  async tcp({ port }, { limit, signal }) {
    const socket = this.container.getTcpPort(port).connect(`10.0.0.1:${port}`);
    const close = () => socket.close().catch(() => {});
    signal.addEventListener("abort", close);
    socket.closed.catch(() => {});
    await socket.opened;
    const lasts = pause(Math.min(TAKEN_MS, limit / 2)).then(() => ({ done: false }));
    const { done } = await Promise.race([socket.readable.getReader().read(), lasts]);
    if (!done) return { opened: true };
    // It has ended without a word: nobody took it, or somebody who hung up. Who is not
    // there is not there for a request either, and that is told in words.
    const { error } = await this.inTime(limit, (time) => this.http({ port, method: "HEAD" }, time));
    return error === undefined || error === "timed_out" ? { opened: true } : { error };
  }

  /**
   * Run a command in the container. The same one is not run twice at a time: who asks
   * meanwhile waits for the one that runs, so one that hangs is not joined by more.
   */
  async command({ command }, { signal }) {
    if (typeof this.container.exec !== "function") {
      return refuse(409, "unsupported", "this runtime cannot run a command in a container", { capability: "exec" });
    }
    const key = JSON.stringify(command);
    if (!this.commands.has(key)) {
      const ended = this.carriedOut(command, signal).finally(() => {
        if (this.commands.get(key) === ended) this.commands.delete(key);
      });
      this.commands.set(key, ended);
    }
    return { code: await this.commands.get(key) };
  }

  /** @returns {Promise<number>} its exit code; it is killed when it is given up */
  async carriedOut(command, signal) {
    const process = await this.container.exec(command, { stdout: "ignore", stderr: "ignore" });
    let isOver = false;
    const kill = () => isOver || process.kill(KILL);
    if (signal.aborted) kill();
    else signal.addEventListener("abort", kill);
    try {
      return await process.exitCode;
    } finally {
      isOver = true;
    }
  }
}
