// The Worker: who asks, what is asked, and which object answers.
//
// A project of one's own exports a class for each application (a container and its
// size) and this Worker:
//
//   import { FleetContainer, FleetRegistry, makeGateway } from "./gateway/gateway.js";
//   export class WebContainer extends FleetContainer {}
//   export { FleetRegistry };
//   export default makeGateway({ applications: { web: { binding: "WEB" } } });

import { unauthorized } from "./auth.js";
import { withBody } from "./bodies.js";
import { BODIES, EPOCH_MAX, LIMITS, ORDERS, PAGE_MAX, PROBE_MAX_MS, QUESTIONS, isName, misplaced, numberOf, outOfBounds } from "./bounds.js";
import { answer, json, readBody, refuse } from "./http.js";
import { JOURNAL, JOURNAL_HANDLERS } from "./journal.js";
import { objectOf } from "./objects.js";
import { OPERATOR_HANDLERS, ensured, passedOn, shown as hosted } from "./operator_routes.js";
import { within } from "./waiting.js";

export { FleetContainer } from "./container.js";
export { OperatorContainer } from "./operator.js";
export { FleetRegistry } from "./registry.js";

/** The version of this interface; raised when an old client could not use it. */
export const API = 1;

/** The version of this code. */
export const VERSION = "1.4.0";

/** An order that takes longer is answered as unreachable; it may still be done. */
const ORDER_LIMIT_MS = 10_000;

/** So much longer than a container its object may take to answer a question. */
const PROBE_MARGIN_MS = 3_000;

const EVENTS_MAX = 1_000;
const WAIT_MAX_MS = 25_000;

/** @returns the handlers of the Worker of a fleet's applications, and of its operator */
export function makeGateway({ applications, operator }) {
  const handlers = {
    async fetch(request, env) {
      try {
        return (await passedOn(request, env, operator)) ?? (await route(request, env, { applications, operator }));
      } catch (error) {
        return answer(fault(error));
      }
    },
  };
  return operator ? { ...handlers, scheduled: (_, env) => ensured(env, operator) } : handlers;
}

/** What is said of a fault; its text may hold what must not be shown. */
function fault(error) {
  const cause = String(error?.name ?? "Error").slice(0, 64);
  const isPassing = error?.retryable === true || error?.overloaded === true;
  if (isPassing) return refuse(503, "unreachable", "an object of the fleet did not answer", { cause });
  return refuse(500, "internal", "the gateway failed", { cause });
}

async function route(request, env, deployed) {
  const url = new URL(request.url);
  const [version, ...path] = url.pathname.split("/").slice(1);
  if (version !== `v${API}`) return answer(refuse(404, "not_found", `expected a path below /v${API}`));
  if (path.join("/") === "health") return methodIs(request, "GET") ?? json({ ok: true });
  const wrong = await unauthorized(request, env);
  if (wrong) return answer(wrong);
  if (path.join("/") === "about") return methodIs(request, "GET") ?? json(await about(env, deployed));
  const [fleets, fleet, kind, ...rest] = path;
  if (fleets !== "fleets" || !isName(fleet)) return answer(refuse(404, "not_found", "no such path"));
  const registry = env.REGISTRY.get(env.REGISTRY.idFromName(fleet));
  const here = { request, env, ...deployed, fleet, registry, query: url.searchParams };
  const found = handlersOf([kind, ...rest]);
  if (!found) return answer(refuse(404, "not_found", "no such path"));
  const [name] = kind === "containers" ? found.stars : [];
  if (name !== undefined && !isName(name)) return answer(refuse(404, "not_found", "no such container"));
  const handler = found.handlers.find(({ method }) => method === request.method);
  if (!handler) return methodIs(request, ...found.handlers.map(({ method }) => method));
  return answer(await handler.does({ ...here, name, stars: found.stars }), handler.status);
}

function methodIs(request, ...methods) {
  if (methods.includes(request.method)) return undefined;
  const expected = methods.join(", ");
  return answer(refuse(405, "wrong_method", `expected ${expected}`, { expected }));
}

/** @returns what answers at a path below a fleet, and what stands there for each star */
function handlersOf(path) {
  for (const [words, handlers] of PATHS) {
    const isHere = words.length === path.length && words.every((word, at) => word === "*" || word === path[at]);
    if (isHere) return { handlers, stars: path.filter((_, at) => words[at] === "*") };
  }
  return undefined;
}

/** Each path below a fleet: its method, or some, the status of success, what it does. */
const HANDLERS = {
  attach: { method: "POST", does: withBody(BODIES.attach, attach) },
  events: { method: "GET", does: events },
  "events/ack": { method: "POST", does: withBody(BODIES.ack, ({ registry }, body) => registry.acknowledge(body)) },
  batch: { method: "POST", does: withBody(BODIES.batch, batch) },
  probe: { method: "POST", does: withBody(BODIES.questions, probes) },
  containers: { method: "GET", does: list },
  loads: { method: "GET", does: loads },
  "containers/*": { method: "GET", does: ({ registry, name }) => registry.state(name) },
  "containers/*/start": { method: "POST", status: 202, does: ordered("start") },
  "containers/*/stop": { method: "POST", status: 202, does: ordered("stop") },
  "containers/*/destroy": { method: "POST", status: 202, does: ordered("destroy") },
  "containers/*/forget": { method: "POST", does: ordered("forget") },
  "containers/*/probe": { method: "POST", does: probe },
  ...JOURNAL_HANDLERS,
  ...OPERATOR_HANDLERS,
};

const PATHS = Object.entries(HANDLERS).map(([path, handlers]) => [path.split("/"), [handlers].flat()]);

async function about(env, { applications, operator }) {
  const told = {};
  let features = {};
  for (const [name, application] of Object.entries(applications)) {
    const { binding, ...facts } = application;
    told[name] = { binding, ...facts };
    if (env[binding] && !features.container) {
      features = await env[binding].get(env[binding].idFromName("features")).features();
    }
  }
  const sizes = { limits: LIMITS, journal: JOURNAL };
  const more = operator ? { operator: hosted(operator) } : {};
  return { api: API, gateway: VERSION, now: Date.now(), capabilities: features, applications: told, ...sizes, ...more };
}

async function attach({ registry, fleet }, body) {
  await registry.named(fleet);
  return registry.attach(body);
}

function epochOf(query) {
  return query.has("epoch") ? numberOf(query, "epoch", 0, EPOCH_MAX) : undefined;
}

/** The page of a list that is asked for; undefined: all of it, as clients of 1.3.0 ask. */
function pageOf(query) {
  if (!query.has("after") && !query.has("limit")) return undefined;
  return {
    after: (query.get("after") ?? "").slice(0, 128),
    limit: Math.max(1, numberOf(query, "limit", PAGE_MAX, PAGE_MAX)),
  };
}

async function list({ registry, query, fleet }) {
  await registry.named(fleet);
  return registry.list({ epoch: epochOf(query), page: pageOf(query) });
}

async function loads({ registry, query, fleet }) {
  await registry.named(fleet);
  return registry.loads({ epoch: epochOf(query), page: pageOf(query) });
}

function events({ registry, query }) {
  return registry.events({
    after: (query.get("after") ?? "").slice(0, 128),
    limit: Math.max(1, numberOf(query, "limit", EVENTS_MAX, EVENTS_MAX)),
    wait: numberOf(query, "wait_ms", 0, WAIT_MAX_MS),
    epoch: epochOf(query),
  });
}

async function probe(here) {
  const body = await readBody(here.request);
  if (body.refused) return body;
  const [result] = await inquire(here, [{ ...body, name: here.name }]);
  return result;
}

async function probes(here, { questions }) {
  return { results: (await inquire(here, questions)).map((result) => shown(result, 200)) };
}

/** Ask containers: their places are looked up together, then all are asked at once. */
function inquire({ env, registry, fleet }, questions) {
  const places = (sound) => registry.places(sound.map(({ name, epoch }) => ({ name, epoch })));
  return eachSound(questions, unclear, places, async ({ epoch, ...question }, place) => {
    if (place.refused) return place;
    const limit = (question.timeout_ms ?? PROBE_MAX_MS) + PROBE_MARGIN_MS;
    return within(limit, objectOf(env, { ...place, fleet, name: question.name }).probe(question));
  });
}

function unclear(question) {
  const { name, ...body } = question ?? {};
  if (!isName(name)) return misplaced("name", "a name");
  const kind = body.kind ?? "http";
  if (typeof kind !== "string" || !Object.hasOwn(QUESTIONS, kind)) return misplaced("kind", "http, tcp or command");
  return outOfBounds(body, QUESTIONS[kind]);
}

function ordered(op) {
  return async (here) => {
    const body = await readBody(here.request);
    if (body.refused) return body;
    const [result] = await carryOut(here, [{ ...body, name: here.name, op }]);
    return result;
  };
}

async function batch(here, { orders }) {
  return { results: (await carryOut(here, orders)).map((result) => shown(result, 202)) };
}

/** One of many results: its status, *success* unless it was refused, and its body. */
function shown(result, success) {
  const { status = success, ...body } = result.refused ?? {};
  return { status, body: result.refused ? body : result };
}

/** Carry out orders: each checked, admitted together, then all at once. */
function carryOut(here, orders) {
  const wrongWith = (order) => unsound(order, here);
  const does = (order, admitted) => within(ORDER_LIMIT_MS, performed(here, order, admitted));
  return eachSound(orders, wrongWith, (sound) => admit(here, sound), does);
}

/** Answer each of many by itself: what is sound is prepared together, then done at once. */
async function eachSound(items, wrongWith, prepare, does) {
  const results = items.map(wrongWith);
  const sound = items.map((_, at) => at).filter((at) => results[at] === undefined);
  const prepared = sound.length === 0 ? [] : await prepare(sound.map((at) => items[at]));
  await Promise.all(
    sound.map(async (at, place) => {
      results[at] = await does(items[at], prepared[place]).catch(fault);
    }),
  );
  return results;
}

/** Ask the registry; it is not told what a start is given, which may be secret. */
async function admit({ registry, fleet, applications }, orders) {
  await registry.named(fleet);
  return registry.admit(
    orders.map(({ op, name, run, epoch, application, jurisdiction, location_hint }) => {
      const binding = op === "start" ? applications[application].binding : undefined;
      return { op, name, run, epoch, binding, jurisdiction, location_hint };
    }),
  );
}

function unsound(order, { env, applications }) {
  const { op, ...body } = order ?? {};
  if (!Object.hasOwn(ORDERS, op)) return misplaced("op", "start, stop, destroy or forget");
  const wrong = outOfBounds(body, ORDERS[op]);
  if (wrong || op !== "start") return wrong;
  const application = Object.hasOwn(applications, order.application) && applications[order.application];
  if (!application || application.retired || !env[application.binding]) {
    const known = Object.keys(applications);
    return refuse(409, "no_application", `no application ${order.application} is deployed`, { application: order.application, known });
  }
  if (application.scheduling_policy !== "durable_object" && (order.image || order.instance)) {
    return refuse(409, "unsupported", "image and instance are chosen per start under durable_object only", { application: order.application });
  }
  return undefined;
}

async function performed({ env, registry, fleet }, { op, ...order }, admitted) {
  if (admitted.refused) return admitted;
  if (admitted.done) {
    if (op === "forget") await registry.dropped(order.name, order.run);
    return admitted.done;
  }
  const { name, run } = order;
  for (const place of admitted.before ?? []) {
    const stays = await objectOf(env, { ...place, fleet, name }).retire({ run });
    if (stays) return stays;
    await registry.left(name, place);
  }
  const result = await objectOf(env, { ...admitted.place, fleet, name })[op]({ ...order, fleet });
  if (op === "forget" && !result.refused) await registry.dropped(name, run);
  return result;
}
