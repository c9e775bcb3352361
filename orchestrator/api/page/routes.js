// Where the page is: the part of the URL after the hash, as a view and its parameters.
//
// Exports (stable):
//   where()                 {view: "fleet" | "container" | "service" | "past" |
//                          "nowhere", params}
//                           #/ and #/?q=..   #/c/NAME?at=SEQ   #/s/NAME?at=SEQ
//                           #/past?at=SEQ
//   href(view, params)      the URL of a view; params.name for those two; what is
//                           null, undefined or "" is left out
//   go(view, params)        go there (a new entry of the history)
//   adjust(params)          change parameters of this view in place: no new entry, no
//                           new mount; null removes one

const VIEWS = { "": "fleet", past: "past" };
const NAMED = { c: "container", s: "service" };

export function where() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const params = Object.fromEntries(new URLSearchParams(query));
  const [first, ...rest] = path.split("/");
  if (Object.hasOwn(NAMED, first) && rest.length === 1 && rest[0]) {
    return { view: NAMED[first], params: { ...params, name: unescaped(rest[0]) } };
  }
  return { view: rest.length ? "nowhere" : (VIEWS[first] ?? "nowhere"), params };
}

export function href(view, { name, ...params } = {}) {
  const path = pathOf(view, name);
  const words = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") words.set(key, String(value));
  }
  // Commas read better as they are, and are safe after the hash.
  const query = words.toString().replaceAll("%2C", ",");
  return `#/${path}${query ? `?${query}` : ""}`;
}

export function go(view, params) {
  location.hash = href(view, params);
}

export function adjust(changes) {
  const { view, params } = where();
  history.replaceState(null, "", href(view, { ...params, ...changes }));
}

function pathOf(view, name) {
  const letter = Object.keys(NAMED).find((key) => NAMED[key] === view);
  if (letter !== undefined) return `${letter}/${encodeURIComponent(name)}`;
  return view === "past" ? "past" : "";
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
