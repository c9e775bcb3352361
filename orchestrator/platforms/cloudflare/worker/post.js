// The news of a container on their way to the registry of its fleet.
//
// They leave the outbox only when the registry has them; who fails tries again later,
// driven by the alarm of the object.

/** News are told again after so long, at first and at most. */
const AGAIN_MS = [500, 30_000];

const NEWS_MAX = 100;

export class Post {
  constructor(memory, registryOf, view) {
    this.memory = memory;
    this.registryOf = registryOf;
    this.view = view;
    this.again = AGAIN_MS[0];
    this.under_way = null;
  }

  /** Hand the news over, all of them; true where none are left. */
  deliver() {
    this.under_way ??= this.deliverAll().finally(() => {
      this.under_way = null;
    });
    return this.under_way;
  }

  async deliverAll() {
    for (let news = this.memory.untold(NEWS_MAX); news.length > 0; news = this.memory.untold(NEWS_MAX)) {
      try {
        await this.registryOf(this.memory.record.fleet).record(this.view(), news);
      } catch {
        this.again = Math.min(this.again * 2, AGAIN_MS[1]);
        return false;
      }
      this.again = AGAIN_MS[0];
      this.memory.told(news.at(-1).seq);
    }
    return true;
  }
}
