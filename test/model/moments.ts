import type { When } from './schedule.ts';

/** Lets acts wait until a moment has come a number of times. */
export class Moments {
  readonly #waiting = new Set<{ readonly moment: When['moment']; left: number; readonly come: () => void }>();

  readonly tell = (moment: When['moment']): void => {
    for (const each of this.#waiting) {
      if (each.moment !== moment || --each.left > 0) continue;
      this.#waiting.delete(each);
      each.come();
    }
  };

  reached({ moment, times }: When): Promise<void> {
    if (times === 0) return Promise.resolve();
    return new Promise((come) => this.#waiting.add({ moment, left: times, come }));
  }
}
