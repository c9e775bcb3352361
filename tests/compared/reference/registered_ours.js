// Our gateway over containers that only stand for some, and one path more:
//
//   /measure/events?times=T&from=S&names=N   tells the registry of T events, one by one
//
// The classes of the project are put beside it by whoever starts it (registered.py).

import * as project from "./index.js";

/** An event as the object of a container hands it over; it changes what is kept of it. */
function told(seq, name) {
  const at = Date.now();
  const facts = { run: 1, ports: { http: 8080 }, application: "web" };
  const view = { name, incarnation: "measured", phase: "running", ready_at: seq, now: at, ...facts };
  return [view, [{ seq, type: "ready", at, ...facts }]];
}

async function events(env, searchParams) {
  const [times, from, names] = ["times", "from", "names"].map((key) => Number(searchParams.get(key)));
  const registry = env.REGISTRY.get(env.REGISTRY.idFromName("demo"));
  for (let time = 0; time < times; time++) {
    const number = String((time * 7919) % names).padStart(2, "0");
    await registry.record(...told(from + time, `web-${number}`));
  }
  return times;
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/measure/events") return Response.json(await events(env, searchParams));
    return project.default.fetch(request, env);
  },
};
