// JSON in, JSON out, but for the bytes of a journal; a refusal is a value with a status,
// a code and details.

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

/** @returns {Response} bytes of a kind, as they are */
export function raw(bytes, kind) {
  return new Response(bytes, { headers: { "cache-control": "no-store", "content-type": kind } });
}

/** @returns {Response} a refusal as JSON; a value as it is, with *status*, unless it is an answer */
export function answer(value, status = 200) {
  if (value instanceof Response) return value;
  if (!value?.refused) return json(value, status);
  const { status: refusal, ...error } = value.refused;
  const allowed = error.code === "wrong_method" ? { allow: error.details.expected } : {};
  return json(error, refusal, allowed);
}

/**
 * Read a body, never more than so many bytes of it.
 *
 * @returns {Promise<{bytes: Uint8Array} | {refused: object}>}
 */
export async function readBytes(request, max) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > max) return refuse(413, "too_large", `expected at most ${max} bytes`, { max });
    chunks.push(chunk);
  }
  return { bytes: joined(chunks) };
}

/** @returns {Promise<object | {refused: object}>} a body of JSON, of `BODY_MAX` bytes at most */
export async function readBody(request) {
  const read = await readBytes(request, BODY_MAX);
  return read.refused ? read : objectIn(read.bytes);
}

/** @returns {object | {refused: object}} the JSON object that some bytes are; of none, an empty one */
export function objectIn(bytes, place = "body") {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const body = JSON.parse(text === "" ? "{}" : text);
    if (body !== null && typeof body === "object" && !Array.isArray(body)) return body;
  } catch {
    // What was found is not repeated: a body may hold secrets.
  }
  return refuse(422, "invalid", `${place}: expected a JSON object`, { place, expected: "a JSON object" });
}

/** @returns {Uint8Array} some pieces, one after the other */
export function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** What is answered in the place of an operator that is not there, in its own manner. */
export function absent(message) {
  const error = { code: "unreachable", message };
  return Response.json({ error }, { status: 503, headers: { "cache-control": "no-store", "retry-after": "2" } });
}
