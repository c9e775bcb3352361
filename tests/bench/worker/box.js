import { DurableObject } from "cloudflare:workers";

/** A bound on waiting, never a measurement. */
const LIMIT_MS = 60_000;

export class Box extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    if (ctx.container.running) this.watch();
  }

  watch() {
    this.ended = this.ctx.container.monitor().then(
      () => 0,
      (problem) => problem.exitCode ?? String(problem),
    );
  }

  // Start it with these words, and wait until it answers, or until it has ended.
  async up(words) {
    await this.ctx.storage.put("words", words);
    this.ctx.container.start({
      env: { GREETING: "hello box" },
      ...(words.length ? { entrypoint: words } : {}),
    });
    this.watch();
    let code = null;
    this.ended.then((ended) => (code = ended));
    const until = Date.now() + LIMIT_MS;
    while (code === null && Date.now() < until) {
      try {
        return await this.get([], "/index.html", 2_000);
      } catch {
        await scheduler.wait(20);
      }
    }
    return code;
  }

  async get(_, path, limit = LIMIT_MS) {
    const port = this.ctx.container.getTcpPort(8080);
    const answer = await port.fetch(`http://box${path}`, { signal: AbortSignal.timeout(limit) });
    return { status: answer.status, text: await answer.text() };
  }

  async end() {
    return await this.ended;
  }

  async term() {
    this.ctx.container.signal(15);
    return await this.ended;
  }

  async remembered() {
    return {
      words: (await this.ctx.storage.get("words")) ?? null,
      running: this.ctx.container.running,
    };
  }
}
