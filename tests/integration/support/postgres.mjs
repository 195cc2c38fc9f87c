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

const control = (directory, url) => ({
  url,
  directory,
  kill: () => run('kill', directory),
  halt: () => run('halt', directory),
  restart: (...settings) => run('restart', directory, ...settings),
  reload: (...settings) => run('reload', directory, ...settings),
  promote: () => run('promote', directory),
  save: (name) => run('save', directory, name),
  restore: (name) => run('restore', directory, name),
});

/** One of the test's own, that it may kill. */
export async function startPostgres(t, ...settings) {
  const directory = join(await makeDirectory(t), 'postgres');
  const url = await run('start', directory, ...settings);
  cleanup(t, () => run('stop', directory));
  return control(directory, url);
}

/** A standby of that server. */
export async function startStandby(t, primary) {
  const directory = join(await makeDirectory(t), 'postgres');
  const url = await run('standby', directory, primary.directory);
  cleanup(t, () => run('stop', directory));
  return control(directory, url);
}
