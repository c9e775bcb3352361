// The Worker of a project that hosts its operator, and what a test may do to that.
//
//   /v1/..., /operator/...   as the project has it
//   /tests/clock             the minute of the Worker's clock
//   /tests/METHOD            calls a method of the operator's object: [WORD...]

import * as project from "./index.js";

export class WebContainer extends project.WebContainer {}
export class FleetRegistry extends project.FleetRegistry {}

export class FleetOperator extends project.FleetOperator {
  // Its container is one of the bench: it listens there, and can be told to fall ill.
  static hosting = { ...project.FleetOperator.hosting, port: 8080, health: "/cgi-bin/health" };

  seen = [];

  constructor(ctx, env) {
    super(ctx, { ...env, ...ctx.storage.kv.get("env") });
    this.healthLimitMs = 1_000;
  }

  optionsOf(env) {
    return { ...super.optionsOf(env), entrypoint: this.ctx.storage.kv.get("words") ?? [] };
  }

  /** From the next start on its container does what the words say. */
  words(...words) {
    this.ctx.storage.kv.put("words", words);
  }

  /** Have the Worker's secrets be others. */
  secrets(changed) {
    const kept = { ...this.ctx.storage.kv.get("env"), ...changed };
    this.ctx.storage.kv.put("env", kept);
    this.env = { ...this.env, ...kept };
  }

  /** Have the project host it no more, or again. */
  retire(isRetired) {
    FleetOperator.hosting = { ...FleetOperator.hosting, retired: isRetired };
  }

  remembered() {
    return this.record;
  }

  /** All records that there were since it was made, also such as did not last. */
  past() {
    return this.seen;
  }

  arm() {
    this.seen.push(this.record);
    return super.arm();
  }

  /** Let it have happened at another time. */
  remember(changes) {
    this.record = { ...this.record, ...changes };
    this.ctx.storage.kv.put("record", this.record);
  }

  async alarmIn() {
    const at = await this.ctx.storage.getAlarm();
    return at === null ? null : at - Date.now();
  }

  async loseAlarm() {
    await this.ctx.storage.deleteAlarm();
  }

  /** All that it keeps, but for what a test has put there. */
  kept() {
    const keys = [...this.ctx.storage.kv.list()].filter(([key]) => key !== "env");
    return JSON.stringify(keys);
  }
}

export default {
  async fetch(request, env, ctx) {
    const [first, method] = new URL(request.url).pathname.split("/").slice(1);
    if (first !== "tests") return project.default.fetch(request, env, ctx);
    if (method === "clock") {
      await project.default.scheduled({ cron: "* * * * *" }, env, ctx);
      return Response.json({ value: null });
    }
    const object = env.GATEWAY_OPERATOR.get(env.GATEWAY_OPERATOR.idFromName("shop"));
    return Response.json({ value: (await object[method](...(await request.json()))) ?? null });
  },
};
