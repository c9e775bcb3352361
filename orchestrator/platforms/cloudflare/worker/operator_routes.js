// Where the hosted operator is reached: below one path of the Worker, by its own tokens,
// and what the gateway itself says of it, by the gateway's.

import { withBody } from "./bodies.js";
import { BODIES } from "./bounds.js";
import { refuse } from "./http.js";

/** Below it are the operator's page and its API, as they are at its own root. */
const BELOW = "/operator";

/** @returns the object of the operator that a gateway hosts */
function objectOf(env, { binding, fleet }) {
  return env[binding].get(env[binding].idFromName(fleet));
}

/** Pass on what is meant for the hosted operator; undefined: it is for the gateway. */
export async function passedOn(request, env, operator) {
  const url = new URL(request.url);
  if (!operator || operator.retired || (url.pathname !== BELOW && !url.pathname.startsWith(`${BELOW}/`))) return undefined;
  if (url.pathname === BELOW) {
    // Its page points at files beside it: what stands last in its path must be a slash.
    return new Response(null, { status: 308, headers: { location: `${BELOW}/${url.search}`, "cache-control": "no-store" } });
  }
  url.pathname = url.pathname.slice(BELOW.length);
  return objectOf(env, operator).fetch(new Request(url, request));
}

/** What may be asked of the gateway about its operator, as its handlers. */
export const OPERATOR_HANDLERS = {
  operator: [{ method: "GET", does: (here) => unhosted(here) ?? objectOf(here.env, here.operator).told() }, { method: "POST", does: withBody(BODIES.wish, wish) }],
};

function unhosted({ operator, fleet }) {
  if (operator?.fleet === fleet) return undefined;
  return refuse(404, "not_found", "this gateway hosts no operator of that fleet");
}

function wish(here, { wanted }) {
  const { env, operator } = here;
  const refused = unhosted(here);
  if (refused) return refused;
  if (operator.retired && wanted === "running") {
    return refuse(409, "unsupported", "the project hosts its operator no more", { capability: "operator" });
  }
  return objectOf(env, operator).want(wanted);
}

/** What the gateway tells of an operator that it hosts; its secrets by their names. */
export function shown({ fleet, file, release, instance_type, secrets, optional, retired }) {
  const needs = { secrets: Object.values(secrets), optional: Object.values(optional) };
  return { fleet, file, release, instance_type, ...needs, retired };
}

/** See, now and then, that the object of the operator has its alarm. */
export async function ensured(env, operator) {
  await objectOf(env, operator).ensure();
}
