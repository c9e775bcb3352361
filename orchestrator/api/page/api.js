// Requests to the operator that served this page.
//
// Exports (stable):
//   get(path, params, signal)   -> {status, body, seq, at, total, replayed}; throws ApiError
//                               total: of a list, how many there are on all its pages
//                               replayed: the operator had done it before; then seq is
//                               the newest row, not that of the request
//   send(method, path, body, key)   -> the same; adds an Idempotency-Key (`key`, or a
//                               new one: who tries again after no answer keeps the key);
//                               after SEND_LIMIT_MS without an answer there is none
//   newKey()                    a key for one try of a mutation
//   open(path, params, headers, signal) -> the Response itself, for streams
//   ApiError {status, code, message, facts}    code "unreachable": no answer came
//   setToken(text), hasToken(), tokenState()   "none" | "given" | "needed" | "refused"
//   onToken(fn) -> off          called whenever that changes
//   ROOT                        the path that the operator is below: "" where it has a host
//                               of its own, "/operator" where a gateway passes it on
//   tokensGiven()               how often a token was given or forgotten until now
//   askedForToken(anew, since)  a promise that is kept when a token was given; who has
//                               put that off is asked again only when `anew` is true;
//                               `since`: what tokensGiven() was when the refused request
//                               was sent: a token given since then is not refused by it
//   declineToken()              for token.js: the person gave none
// Paths begin with "/v1/...", and are looked for below ROOT. Params that are null,
// undefined or "" are left out.
// A 401 waits for the token dialog (see token.js) and is then tried again. A change is
// given up when the dialog is closed without a token: `send` throws the 401.
// The token lives in sessionStorage: it dies with the tab and is never in the URL.

export const ROOT = new URL("..", import.meta.url).pathname.slice(0, -1);

const KEY = "token";
const SEND_LIMIT_MS = 30_000;
const listeners = new Set();
const changes = new Set();
let token = kept();
let state = token ? "given" : "none";
let count = 0;
let waiting = null;

export class ApiError extends Error {
  constructor(status, code, message, facts = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.facts = facts;
  }
}

export function setToken(text) {
  token = text;
  count += 1;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage the token lives as long as the page.
  }
  become(text ? "given" : "none");
  if (text && waiting) {
    waiting.keep();
    waiting = null;
  }
}

export function hasToken() {
  return Boolean(token);
}

export function tokenState() {
  return state;
}

export function tokensGiven() {
  return count;
}

export function onToken(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

export function askedForToken(anew = false, since = count) {
  if (since !== count) return Promise.resolve();
  if (!waiting) {
    waiting = {};
    waiting.promise = new Promise((keep) => {
      waiting.keep = keep;
    });
  }
  const next = token ? "refused" : "needed";
  if (anew || next !== state) become(next);
  return waiting.promise;
}

export function declineToken() {
  for (const giveUp of changes) giveUp(new ApiError(401, "not_authenticated", "No token was given."));
  changes.clear();
}

export async function get(path, params, signal = undefined) {
  return read(await answered(() => open(path, params, {}, signal), (since) => askedForToken(false, since)));
}

export function newKey() {
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16)).join("");
}

export async function send(method, path, body, key = newKey()) {
  const headers = { "Idempotency-Key": key };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  // The same key again after a token was given: what was refused was never done.
  const ask = () => fetched(path, { method, headers, body: text, signal: AbortSignal.timeout(SEND_LIMIT_MS) });
  return read(await answered(ask, givenOrDeclined));
}

export function open(path, params, headers = {}, signal = undefined) {
  return fetched(address(path, params), { headers, signal });
}

async function answered(ask, allowed) {
  for (;;) {
    const since = count;
    const response = await ask();
    if (response.status !== 401) return response;
    await allowed(since);
  }
}

function givenOrDeclined(since) {
  return new Promise((keep, giveUp) => {
    changes.add(giveUp);
    void askedForToken(true, since).then(() => {
      changes.delete(giveUp);
      keep();
    });
  });
}

async function fetched(url, { headers = {}, ...rest }) {
  const all = { Accept: "application/json", ...headers };
  if (token) all.Authorization = `Bearer ${token}`;
  try {
    return await fetch(ROOT + url, { ...rest, headers: all, cache: "no-store", redirect: "error", credentials: "same-origin" });
  } catch (problem) {
    throw unanswered(problem);
  }
}

function unanswered(problem) {
  return problem.name === "AbortError" ? problem : new ApiError(0, "unreachable", "The operator does not answer.");
}

async function read(response) {
  let body = null;
  try {
    body = await response.json();
  } catch (problem) {
    // An answer that is no JSON is told by its status alone; one that broke off is none.
    if (!(problem instanceof SyntaxError)) throw unanswered(problem);
  }
  if (!response.ok) throw refused(response, body);
  return {
    status: response.status,
    body,
    seq: number(response.headers.get("Orchestrator-Seq")),
    at: number(response.headers.get("Orchestrator-At")),
    total: number(response.headers.get("Orchestrator-Total")),
    replayed: response.headers.get("Idempotency-Replayed") === "true",
  };
}

export function refused(response, body) {
  const { code, message, ...facts } = body?.error ?? {};
  const wait = response.headers.get("Retry-After");
  if (wait) facts.retry_after_s = Number(wait);
  return new ApiError(response.status, code ?? "unexpected", message ?? `The operator answered ${response.status}.`, facts);
}

function address(path, params) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== null && value !== undefined && value !== "") words.set(name, String(value));
  }
  const text = words.toString();
  return text ? `${path}?${text}` : path;
}

function number(text) {
  return text === null ? null : Number(text);
}

function become(next) {
  state = next;
  for (const fn of listeners) fn(state);
}

function kept() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
