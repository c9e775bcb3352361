/*
 * A fleet that the reference library looks after with its defaults, and ways to hurt the
 * operator: it is a Durable Object, so it cannot be killed but with the whole runtime, or
 * by resetting it, and it cannot be cut off but by refusing what it is told.
 */

import {
  createContainerOperator,
  defaultRestartPolicy,
  ManagedContainer,
} from "@jonbeckman/cf-container-orchestrator";

const NAMES = ["steady", "leaver", "killed"];

export class Unit extends ManagedContainer {
  defaultPort = 8080;
  sleepAfter = "30m";
  entrypoint = ["/bin/serve", "7"];
}

const Operator = createContainerOperator({
  minReplicaSet: NAMES.map((name) => ({
    name,
    config: {},
    restartPolicy: defaultRestartPolicy(),
  })),
  envVarsBuilder: () => ({}),
});

export class Fleet extends Operator {
  deafUntil = 0;

  /** What the object of a container calls; for a while it cannot reach the operator. */
  async handleLifecycleEvent(event) {
    if (Date.now() < this.deafUntil) throw new Error("the operator cannot be reached");
    return super.handleLifecycleEvent(event);
  }

  beDeaf(ms) {
    this.deafUntil = Date.now() + ms;
    return ms;
  }

  /** The object is reset, as by a crash; what calls it next makes it anew. */
  reset() {
    this.ctx.abort("reset by a test");
  }
}

async function answered(env, { pathname, searchParams }) {
  const operators = env.CONTAINER_OPERATOR;
  const operator = operators.get(operators.idFromName("global"));
  switch (pathname) {
    case "/reconcile":
      return (await operator.reconcile()) ?? null;
    case "/list":
      return (await operator.listContainers()).map(({ name, status, stopHistory }) => ({
        name,
        status,
        stops: stopHistory,
      }));
    case "/deaf":
      return operator.beDeaf(Number(searchParams.get("ms")));
    case "/reset":
      return operator.reset().catch(() => null);
    default:
      return Object.fromEntries(NAMES.map((name) => [name, env.MANAGED_CONTAINER.idFromName(name).toString()]));
  }
}

export default {
  async fetch(request, env) {
    try {
      return Response.json((await answered(env, new URL(request.url))) ?? null);
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 500 });
    }
  },
};
