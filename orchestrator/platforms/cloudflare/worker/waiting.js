// Waiting, and never for ever.

/** @returns a promise that is kept after so long */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Wait for a promise, for so long at most: then it counts as broken. */
export function within(limit, promise) {
  return new Promise((resolve, reject) => {
    const late = () => reject(Object.assign(new Error("no answer in time"), { retryable: true }));
    const timer = setTimeout(late, limit);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
