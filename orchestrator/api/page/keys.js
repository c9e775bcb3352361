// Single keys that do something, and the list of them that "?" shows.
//
// Exports (stable):
//   onKey(key, says, fn) -> off   fn(event) when the key is pressed outside of a field;
//                                 key as in KeyboardEvent.key; says: for the list
//   bound()                       [{key, says}], in the order they were bound
// Keys with Ctrl, Alt or Meta are the browser's. Escape also leaves a field.

const handlers = new Map();

export function onKey(key, says, fn) {
  const handler = { says, fn };
  handlers.set(key, handler);
  return () => {
    if (handlers.get(key) === handler) handlers.delete(key);
  };
}

export function bound() {
  return [...handlers].map(([key, { says }]) => ({ key, says }));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  const target = event.target;
  const writes = target instanceof Element && target.matches("input:not([type=range]), textarea, select");
  if (writes) {
    if (event.key === "Escape") target.blur();
    return;
  }
  const handler = handlers.get(event.key);
  if (handler) {
    event.preventDefault();
    handler.fn(event);
  }
});
