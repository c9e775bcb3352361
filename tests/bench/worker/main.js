// A small Worker for the bench's own tests: /NAME/WHAT?... to one Durable Object each.

import { Box } from "./box.js";

export { Box };

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, name, what] = url.pathname.split("/");
    if (name === "secret") return new Response(env.SECRET);
    const box = env.BOX.get(env.BOX.idFromName(name));
    const words = url.searchParams.getAll("word");
    return Response.json(await box[what](words, url.searchParams.get("path") ?? "/"));
  },
};
