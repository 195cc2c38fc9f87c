// A private PostgreSQL, by tests/support/postgres.sh.

import { join } from 'node:path';

import { cleanup, makeDirectory } from './cleanup.mjs';
import { execute, root } from './sluice.mjs';

const script = join(root, 'tests/support/postgres.sh');

async function run(...args) {
  const { code, stdout, stderr } = await execute(script, args, { seconds: 90 });
  if (code !== 0) throw new Error(`postgres.sh ${args[0]}: ${stderr}`);
  return stdout.trim();
}

/** One of the test's own, that it may kill. */
export async function startPostgres(t) {
  const directory = join(await makeDirectory(t), 'postgres');
  const url = await run('start', directory);
  cleanup(t, () => run('stop', directory));
  return {
    url,
    kill: () => run('kill', directory),
    halt: () => run('halt', directory),
    restart: () => run('restart', directory),
  };
}
