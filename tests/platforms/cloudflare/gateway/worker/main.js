// The project's Worker, and beside it what a test may do to its objects.
//
//   /v1/...                            the gateway, as the project has it
//   /more/v1/...                       one with applications that no project has
//   /tests/call/BINDING/FLEET/NAME     calls a method of an object: [METHOD, WORD...]
//   /tests/own/BINDING/FLEET/NAME/...  the owner's own traffic to a container
//   /tests/classify                    classifies errors: [TEXT, PROPERTIES], or [ANYTHING]
//   /tests/places                      where objects were asked to be, since last asked

import * as project from "./index.js";
import { classify } from "./gateway/classify.js";
import { FleetContainer, makeGateway } from "./gateway/gateway.js";
import { asked, withPlaces } from "./places.js";
import { scripted } from "./scripted.js";
import { tested, testedRegistry } from "./tested.js";

export class WebContainer extends tested(project.WebContainer) {}
export class ApiContainer extends tested(project.ApiContainer) {}

class Scripted extends tested(FleetContainer) {
  constructor(ctx, env) {
    super(scripted(ctx), env);
  }

  drive(method, ...words) {
    return this.container[method](...words);
  }
}
export class ScriptedContainer extends Scripted {}
export class ChosenContainer extends Scripted {}
export class PlacedContainer extends Scripted {}
export class BareContainer extends FleetContainer {}

export class FleetRegistry extends testedRegistry(project.FleetRegistry) {
  constructor(ctx, env) {
    super(ctx, withPlaces(env));
  }
}

const more = makeGateway({
  applications: {
    scripted: { binding: "SCRIPTED", scheduling_policy: "default" },
    chosen: { binding: "CHOSEN", scheduling_policy: "durable_object" },
    placed: { binding: "PLACED", scheduling_policy: "default" },
    bare: { binding: "BARE", scheduling_policy: "default" },
    missing: { binding: "MISSING", scheduling_policy: "default" },
  },
});

function objectOf(env, binding, fleet, name) {
  const namespace = env[binding];
  return namespace.get(namespace.idFromName(binding === "REGISTRY" ? fleet : `${fleet}/${name}`));
}

/** The environment as a request wants it: with other tokens, say. */
function wished(request, env) {
  const wish = JSON.parse(request.headers.get("x-tests-env") ?? "{}");
  return { ...withPlaces(env), ...wish };
}

async function test(request, env, [what, binding, fleet, name, ...rest]) {
  if (what === "classify") {
    const errors = await request.json();
    return Response.json(errors.map(([told, facts]) => classify(facts ? Object.assign(new Error(told), facts) : told)));
  }
  if (what === "places") return Response.json(asked.splice(0));
  const object = objectOf(env, binding, fleet, name);
  if (what === "own") return object.fetch(new Request(`http://own/${rest.join("/")}`, request));
  const [method, ...words] = await request.json();
  try {
    return Response.json({ value: (await object[method](...words)) ?? null });
  } catch (error) {
    return Response.json({ error: String(error.message) });
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [first, ...path] = url.pathname.split("/").slice(1);
    if (first === "tests") return test(request, env, path);
    if (first !== "more") return project.default.fetch(request, wished(request, env));
    url.pathname = path.join("/");
    return more.fetch(new Request(url, request), wished(request, env));
  },
};
