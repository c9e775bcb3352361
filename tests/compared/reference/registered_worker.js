/*
 * A fleet that the reference library looks after, of containers that only stand for some,
 * and what is asked of it. FLEET_SIZE is put in by the bundler.
 *
 * What it logs goes nowhere, all records share one restart policy, and the periodic
 * reconcile is off: each of these is to its advantage.
 */

import {
  createContainerOperator,
  defaultRestartPolicy,
  ManagedContainer,
} from "@jonbeckman/cf-container-orchestrator";

import { standing } from "./standing.js";

for (const level of ["log", "warn", "error"]) console[level] = () => {};

const names = Array.from({ length: FLEET_SIZE }, (_, index) => `unit-${index}`);
const restartPolicy = defaultRestartPolicy();

export class Unit extends ManagedContainer {
  defaultPort = 8080;
  sleepAfter = "30m";

  constructor(ctx, env) {
    super(standing(ctx), env);
  }
}

export const Fleet = createContainerOperator({
  minReplicaSet: names.map((name) => ({ name, config: {}, restartPolicy })),
  envVarsBuilder: () => ({}),
  reconcileIntervalMs: 0,
});

/** Tell the operator that containers have started, one after the other. */
async function events(operator, times) {
  for (let time = 0; time < times; time++) {
    await operator.handleLifecycleEvent({
      type: "started",
      containerName: names[(time * 7919) % names.length],
      timestamp: Date.now(),
    });
  }
  return times;
}

async function answered(operator, { pathname, searchParams }) {
  switch (pathname) {
    case "/reconcile":
      return (await operator.reconcile()) ?? null;
    case "/events":
      return events(operator, Number(searchParams.get("times")));
    case "/statuses":
      return (await operator.listContainers()).map((it) => it.status);
    default:
      return (await operator.getConfig()).minReplicaSet.length;
  }
}

export default {
  async fetch(request, env) {
    const operators = env.CONTAINER_OPERATOR;
    const operator = operators.get(operators.idFromName("global"));
    try {
      return Response.json(await answered(operator, new URL(request.url)));
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 500 });
    }
  },
};
