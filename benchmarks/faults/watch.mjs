// What every row needs: an end to what it has started, and a look at the health all the time.

import { pause } from '../../tests/integration/support/wait.mjs';

/** What cleanup() asks of a test. */
export function scope() {
  const ends = [];
  return {
    after: (end) => ends.push(end),
    async finish() {
      while (ends.length) await ends.pop()();
    },
  };
}

/** Asks for the health again and again, and keeps when it changed. */
export class Watch {
  constructor(server) {
    this.begun = performance.now();
    this.changes = [];
    this.running = this.#run(server);
  }

  async #run(server) {
    while (!this.stopped) {
      const at = performance.now();
      const response = await server.ask('/api/health').catch(() => undefined);
      const good = response?.status === 200;
      if (!good && response) this.reasons = response.json().reasons;
      if (this.good !== good) this.changes.push({ good, at });
      this.good = good;
      await pause(10);
    }
  }

  /** The first moment from `from` on at which it was in that state, if there was one. */
  since(from, good) {
    const before = this.changes.filter((change) => change.at < from).at(-1);
    return before?.good === good ? from : this.changes.find((change) => change.at >= from && change.good === good)?.at;
  }

  async stop() {
    this.stopped = true;
    await this.running;
  }
}

export const seconds = (from, to) => (to === undefined ? undefined : Math.max(0, to - from) / 1000);
