// What a container is started with, in the runtime's words.

/**
 * What the runtime is told: image and size only where they are chosen per start. An
 * image is one of the Worker's own by its name, or a reference.
 */
export function optionsOf(order, images) {
  const options = { env: order.env, enableInternet: order.internet };
  if (order.entrypoint.length > 0) options.entrypoint = order.entrypoint;
  options.labels = { fleet: order.fleet, container: order.name, revision: String(order.revision) };
  const built = images instanceof Map ? images : new Map(Object.entries(images ?? {}));
  if (order.image) options.image = built.get(order.image) ?? order.image;
  if (order.instance) options.instance = order.instance;
  return options;
}
