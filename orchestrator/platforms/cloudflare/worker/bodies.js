// Bodies of JSON that are checked before anything is asked.

import { outOfBounds } from "./bounds.js";
import { readBody } from "./http.js";

/** @returns a handler that is given its body, once each field is within its bounds */
export function withBody(fields, does) {
  return async (here) => {
    const body = await readBody(here.request);
    return body.refused ? body : (outOfBounds(body, fields) ?? does(here, body));
  };
}
