/*
 * A fleet that the reference library looks after, and what is asked of it.
 *
 * FLEET_SIZE, ENTRYPOINT and DEAF are put in by the bundler. The periodic reconcile is off, so that nothing is
 * started but by the reconcile that is measured; all else is the library's default.
 */

import {
  createContainerOperator,
  defaultRestartPolicy,
  ManagedContainer,
} from "@jonbeckman/cf-container-orchestrator";

const PORT = 8080;
const LOOK_EVERY_MS = 25;
const LIMIT_MS = 300_000;
const PATIENT_MS = 30_000;

const names = Array.from({ length: FLEET_SIZE }, (_, index) => `unit-${index}`);

/** Those of which an answer can be awaited: all but the first, where that one is deaf. */
const hearing = DEAF.length > 0 ? names.slice(1) : names;

/** A container of the fleet that also takes down when it first answered. */
export class Unit extends ManagedContainer {
  defaultPort = PORT;
  sleepAfter = "30m";
  answering = Promise.resolve(null);

  async startAndWaitForPorts(...args) {
    const isDeaf = !hearing.includes(args[0].startOptions.envVars.CONTAINER_NAME);
    const words = isDeaf ? DEAF : ENTRYPOINT;
    if (words.length > 0) this.entrypoint = words;
    if (!isDeaf) this.answering = this.firstAnswer();
    return super.startAndWaitForPorts(...args);
  }

  /** Look, while the library starts it, for the first HTTP 200. */
  async firstAnswer() {
    const until = Date.now() + LIMIT_MS;
    while (Date.now() < until) {
      if (this.ctx.container.running && (await this.answers())) return Date.now();
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return null;
  }

  /** Ask once; unlike containerFetch, this starts nothing. */
  async answers(limit = 1_000) {
    try {
      const port = this.ctx.container.getTcpPort(PORT);
      const signal = AbortSignal.timeout(limit);
      const response = await port.fetch("http://unit/", { signal });
      await response.arrayBuffer();
      return response.status === 200;
    } catch {
      return false; // it does not listen yet
    }
  }

  /** Answer with the moment of the first HTTP 200, and whether it answers now. */
  async seen() {
    return { at: await this.answering, now: await this.answers(PATIENT_MS) };
  }
}

export const Fleet = createContainerOperator({
  minReplicaSet: names.map((name) => ({
    name,
    config: {},
    restartPolicy: defaultRestartPolicy(),
  })),
  envVarsBuilder: () => ({}),
  reconcileIntervalMs: 0,
});

/** Reconcile a fleet of which nothing runs yet, and ask when each one answered. */
async function cold(env, operator) {
  const began = Date.now();
  await operator.reconcile();
  const reconcile_ms = Date.now() - began;
  const seen = await Promise.all(hearing.map((name) => unit(env, name).seen()));
  const ready_ms = seen.map(({ at, now }) => (at && now ? at - began : null));
  return { reconcile_ms, ready_ms };
}

/** Reconcile again and again; the library finds everything healthy. */
async function healthy(operator, times) {
  const took = [];
  for (let time = 0; time < times; time++) {
    const began = performance.now();
    await operator.reconcile();
    took.push(performance.now() - began);
  }
  return took;
}

function unit(env, name) {
  const units = env.MANAGED_CONTAINER;
  return units.get(units.idFromName(name));
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const operators = env.CONTAINER_OPERATOR;
    const operator = operators.get(operators.idFromName("global"));
    switch (pathname) {
      case "/cold":
        return Response.json(await cold(env, operator));
      case "/healthy":
        return Response.json(await healthy(operator, Number(searchParams.get("times"))));
      case "/reconcile":
        return Response.json((await operator.reconcile()) ?? null);
      case "/statuses":
        return Response.json((await operator.listContainers()).map((it) => it.status));
      default: // wakes the operator, and starts nothing
        return Response.json((await operator.getConfig()).minReplicaSet.length);
    }
  },
};
