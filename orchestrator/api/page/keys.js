// Single keys that do something, and the list of them that "?" shows.
//
// Exports (stable):
//   onKey(key, says, fn) -> off   fn(event) when the key is pressed outside of a field;
//                                 key as in KeyboardEvent.key; says: for the list
//   bound()                       [{key, says}] of what acts now, in the order of the keys
// A key may be bound more than once: the last one acts, and when it is let go, the one
// before it acts again. So a view may borrow a key of the frame.
// Keys with Ctrl, Alt or Meta are the browser's. Escape also leaves a field.

const handlers = new Map();

export function onKey(key, says, fn) {
  const handler = { says, fn };
  handlers.set(key, [...(handlers.get(key) ?? []), handler]);
  return () => {
    const rest = (handlers.get(key) ?? []).filter((one) => one !== handler);
    if (rest.length > 0) handlers.set(key, rest);
    else handlers.delete(key);
  };
}

export function bound() {
  return [...handlers].map(([key, all]) => ({ key, says: all.at(-1).says }));
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
  const handler = handlers.get(event.key)?.at(-1);
  if (handler) {
    event.preventDefault();
    handler.fn(event);
  }
});
