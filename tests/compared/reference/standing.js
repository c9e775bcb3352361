// What stands in for a container: it runs once it is started, and answers at every port.
//
// So a fleet of thousands can be registered, by the whole of either side's own code, on a
// machine that could not run them. That it runs outlives its object, as a container does.

class Standing {
  constructor(kept) {
    this.kept = kept;
  }

  get running() {
    return this.kept.get("stands") === true;
  }

  start() {
    this.kept.put("stands", true);
  }

  monitor() {
    return new Promise((_, reject) => {
      this.ended = reject;
    });
  }

  async destroy() {
    this.kept.put("stands", false);
    this.ended?.(Object.assign(new Error("Container exited with unexpected exit code: 137"), { exitCode: 137 }));
  }

  signal() {
    return this.destroy();
  }

  setInactivityTimeout() {}

  getTcpPort() {
    return { fetch: async () => new Response("ok") };
  }
}

/** @returns the context of an object, with a container that only stands for one */
export function standing(ctx) {
  const container = new Standing(ctx.storage.kv);
  Object.defineProperty(ctx, "container", { value: container, configurable: true });
  return ctx;
}
