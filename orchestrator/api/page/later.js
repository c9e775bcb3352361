// What happens later: calls that wait for quiet, requests of which only the newest
// counts, and the tick of a clock. Everything here can be stopped.

// Return a function that calls `fn` once it was not called for `ms`.
export function debounced(fn, ms) {
  let timer = 0;
  const call = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...args), ms);
  };
  call.stop = () => clearTimeout(timer);
  return call;
}

// Return a function that calls `fn` at once, then at most once in `ms`; never forgets
// the last call.
export function throttled(fn, ms) {
  let timer = 0;
  let isAsked = false;
  const turn = () => {
    timer = 0;
    if (isAsked) call();
  };
  const call = () => {
    isAsked = timer !== 0;
    if (timer !== 0) return;
    timer = setTimeout(turn, ms);
    fn();
  };
  call.stop = () => {
    clearTimeout(timer);
    timer = 0;
    isAsked = false;
  };
  return call;
}

// One job at a time: a newer one aborts the older, whose answer is never seen.
export class Newest {
  #controller = null;

  // `job(signal)` returns a promise; its value goes to `told`, its failure to `failed`.
  async run(job, told, failed) {
    this.stop();
    const mine = new AbortController();
    this.#controller = mine;
    let value;
    try {
      value = await job(mine.signal);
    } catch (error) {
      if (!mine.signal.aborted) failed(error);
      return;
    } finally {
      if (this.#controller === mine) this.#controller = null;
    }
    if (!mine.signal.aborted) told(value);
  }

  get isBusy() {
    return this.#controller !== null;
  }

  stop() {
    this.#controller?.abort();
    this.#controller = null;
  }
}

// Call `fn` now and every `ms`, as long as the page can be seen; return what stops it.
export function ticking(fn, ms) {
  fn();
  const timer = setInterval(() => {
    if (!document.hidden) fn();
  }, ms);
  return () => clearInterval(timer);
}

// Call `fn(width)` when the width of a node changes; return what stops it.
export function onWidth(node, fn) {
  let width = 0;
  const observer = new ResizeObserver(() => {
    const now = Math.floor(node.clientWidth);
    if (now === width || now === 0) return;
    width = now;
    requestAnimationFrame(() => fn(now));
  });
  observer.observe(node);
  return () => observer.disconnect();
}
