// The store that fails as it is told: tests/fixtures/stages/flaky_persist.c.

import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { fixture } from './sluice.mjs';

export class Flaky {
  constructor(directory) {
    this.path = join(directory, 'kept.tsv');
    this.holdFile = join(directory, 'hold');
  }

  stage(options) {
    return {
      persist: fixture('persist', 'flaky'),
      path: this.path,
      hold: this.holdFile,
      retry: { min: '5ms', max: '20ms' },
      ...options,
    };
  }

  /** Nothing gets through until release(). */
  hold() {
    return writeFile(this.holdFile, '');
  }

  release() {
    return rm(this.holdFile, { force: true });
  }

  /** What was kept, in its order. */
  async kept() {
    if (!existsSync(this.path)) return [];
    const lines = (await readFile(this.path, 'utf8')).split('\n').slice(0, -1);
    return lines.map((line) => {
      const [messageId, stream, requestId, attempt] = line.split('\t');
      return { messageId, stream, requestId, attempt: Number(attempt) };
    });
  }

  async ids() {
    return (await this.kept()).map(({ messageId }) => messageId);
  }
}
