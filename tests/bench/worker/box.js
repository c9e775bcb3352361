import { DurableObject } from "cloudflare:workers";

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
    for (let i = 0; i < 500 && code === null; i++) {
      try {
        return await this.get([], "/index.html");
      } catch {
        await scheduler.wait(20);
      }
    }
    return code;
  }

  async get(_, path) {
    const port = this.ctx.container.getTcpPort(8080);
    const answer = await port.fetch(`http://box${path}`, { signal: AbortSignal.timeout(2000) });
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
