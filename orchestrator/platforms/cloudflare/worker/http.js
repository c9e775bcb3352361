// JSON in, JSON out; a refusal is a value with a status, a code and details.

/** The largest body of a request, in bytes. */
export const BODY_MAX = 1_048_576;

/** @returns {{refused: object}} why something is not done; crosses objects as data */
export function refuse(status, code, message, details = {}) {
  return { refused: { status, code, message, details } };
}

/** @returns {Response} a value as JSON */
export function json(value, status = 200, headers = {}) {
  return Response.json(value, { status, headers: { "cache-control": "no-store", ...headers } });
}

/** @returns {Response} a refusal as JSON; a value as it is, with *status* */
export function answer(value, status = 200) {
  if (!value?.refused) return json(value, status);
  const { status: refusal, ...error } = value.refused;
  const allowed = error.code === "wrong_method" ? { allow: error.details.expected } : {};
  return json(error, refusal, allowed);
}

/**
 * Read a body of JSON, never more than `BODY_MAX` bytes of it.
 *
 * @param {Request} request
 * @returns {Promise<object | {refused: object}>}
 */
export async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > BODY_MAX) {
      return refuse(413, "too_large", `expected at most ${BODY_MAX} bytes`, { max: BODY_MAX });
    }
    chunks.push(chunk);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await new Blob(chunks).arrayBuffer());
    const body = JSON.parse(text === "" ? "{}" : text);
    if (body !== null && typeof body === "object" && !Array.isArray(body)) return body;
  } catch {
    // What was found is not repeated: a body may hold secrets.
  }
  return refuse(422, "invalid", "body: expected a JSON object", { place: "body", expected: "a JSON object" });
}
