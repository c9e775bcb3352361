// A namespace of objects that notes where it was asked to place them: the runtime has
// one place only.

export const asked = [];

/** @returns the environment, with a binding PLACED for objects of PLACED_HERE */
export function withPlaces(env) {
  const here = env.PLACED_HERE;
  const namespace = (jurisdiction) => ({
    jurisdiction: (name) => namespace(name),
    idFromName: (name) => ({ jurisdiction, name }),
    get: ({ name }, options) => {
      asked.push({ jurisdiction, name, options });
      return here.get(here.idFromName(`${jurisdiction}/${name}`));
    },
  });
  return { ...env, PLACED: namespace(null) };
}
