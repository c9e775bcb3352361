// Where the object of a container is, and the way to it.

/** @returns the stub of the object of one container */
export function objectOf(env, { binding, jurisdiction, hint, fleet, name }) {
  const namespace = jurisdiction ? env[binding].jurisdiction(jurisdiction) : env[binding];
  const options = hint ? { locationHint: hint } : {};
  return namespace.get(namespace.idFromName(`${fleet}/${name}`), options);
}

/** @returns the place that a row of the ledger names */
export function placeOf({ binding, jurisdiction, hint }) {
  return { binding, jurisdiction, hint };
}

/** Two places are one where they lead to the same object; a hint is only a wish. */
export function isSamePlace(one, other) {
  return one.binding === other.binding && (one.jurisdiction ?? null) === (other.jurisdiction ?? null);
}
