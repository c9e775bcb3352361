// Our gateway, and one path more:
//
//   /measure/fill?fleet=F&binding=B&from=N&count=C&each=E
//
// It has the registry of a fleet keep C containers whose runs have ended with 7, and E news
// of each: what it was told before, again and again, and at last the end. Nothing runs.
// The classes of the project are beside it (durable_ground.py).

import * as project from "./index.js";

export * from "./index.js";

export class FleetRegistry extends project.FleetRegistry {
  fill({ binding, from, count, each }) {
    const at = Date.now();
    const facts = { run: 1, ports: { http: 8080 }, application: "web" };
    const end = { kind: "exited", code: 7, raw: "Container exited with unexpected exit code: 7", at };
    for (let number = from; number < from + count; number++) {
      const name = `web-${String(number).padStart(6, "0")}`;
      this.ledger.enrol(name, { binding, run: 1, leaving: [] });
      const again = Array.from({ length: each - 1 }, (_, place) => ({ seq: place + 1, type: "ready", at, ...facts }));
      const news = [...again, { seq: each, type: "ended", run: 1, at, end, started: true }];
      const moments = { begun_at: at, started_at: at, ready_at: at, now: at };
      const told = { fingerprint: "0".repeat(64), revision: 1, phase: "ended", end, problem: null, running: false };
      this.record({ name, incarnation: "measured", id: "0".repeat(64), ...facts, ...moments, ...told }, news);
    }
    return this.ledger.ends().last;
  }
}

async function filled(env, asked) {
  const registry = env.REGISTRY.get(env.REGISTRY.idFromName(asked.get("fleet")));
  const [from, count, each] = ["from", "count", "each"].map((key) => Number(asked.get(key)));
  return registry.fill({ binding: asked.get("binding"), from, count, each });
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/measure/fill") return Response.json(await filled(env, searchParams));
    return project.default.fetch(request, env);
  },
};
