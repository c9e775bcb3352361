// Who may ask: a bearer token, one of two, so that it can be changed without a gap.

import { refuse } from "./http.js";

/** The secrets of the Worker that hold the tokens: today's, and the next one. */
const SECRETS = ["GATEWAY_TOKEN", "GATEWAY_TOKEN_NEXT"];

/** A token that can be guessed is none. */
const TOKEN_MIN = 16;

/**
 * Say why a request is not let in; undefined where it is.
 *
 * Digests are compared, and all of them, so that the time says nothing.
 */
export async function unauthorized(request, env) {
  const tokens = SECRETS.map((key) => env[key]).filter((token) => token?.length >= TOKEN_MIN);
  if (tokens.length === 0) {
    const message = `the secret GATEWAY_TOKEN is not set, or shorter than ${TOKEN_MIN} characters`;
    return refuse(503, "not_configured", message);
  }
  const given = /^Bearer (\S{1,4096})$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const shown = await digest(given ?? "");
  let matches = 0;
  for (const token of tokens) {
    matches += crypto.subtle.timingSafeEqual(shown, await digest(token)) ? 1 : 0;
  }
  if (given !== undefined && matches > 0) return undefined;
  return refuse(401, "unauthorized", "expected a bearer token of this gateway");
}

function digest(text) {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
