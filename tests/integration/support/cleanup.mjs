// What a test has started ends with it, the last first.

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const stacks = new WeakMap();

export function cleanup(t, action) {
  let stack = stacks.get(t);
  if (!stack) {
    stack = [];
    stacks.set(t, stack);
    t.after(async () => {
      while (stack.length) await stack.pop()();
    });
  }
  stack.push(action);
}

/** A directory of the test's own, which the user of a database server may enter. */
export async function makeDirectory(t) {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-'));
  await chmod(directory, 0o755);
  cleanup(t, () => rm(directory, { recursive: true, force: true }));
  return directory;
}
