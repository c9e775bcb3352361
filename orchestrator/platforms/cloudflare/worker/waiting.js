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

/** A bell that many wait for: each until it rings, and never longer than it wants to. */
export class Bell {
  constructor() {
    this.waiting = new Set();
  }

  ring() {
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  /** @returns a promise that is kept when it rings, or after so many milliseconds */
  rung(limit) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, limit);
      this.waiting.add(wake);
    });
  }
}
