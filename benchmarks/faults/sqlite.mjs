// What goes wrong with the files of SQLite.

import { open, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeDirectory } from '../../tests/integration/support/cleanup.mjs';
import { until } from '../../tests/integration/support/wait.mjs';
import { world } from './forgetful.mjs';
import { eachSync } from './sync.mjs';

const zeros = Buffer.alloc(4 * 4096);

const failing = (name) => async (t) => {
  const fault = join(await makeDirectory(t), 'fault');
  const it = await world(t, { faults: { FORGET_FAIL_WHILE: fault, FORGET_FAIL_NAME: name } });
  const cause = async () => {
    await writeFile(fault, '');
    await until('a sync that fails', async () => (await stat(fault)).size > 0, { within: 30 });
    return performance.now();
  };
  return { ...it, cause, undo: () => rm(fault) };
};

const harmed = (harm) => async (t) => {
  const it = await world(t);
  return { ...it, cause: () => harm(it.store.path) };
};

/** As long as it was, and as new as our own writes leave it. */
async function overwrite(path, at) {
  const file = await open(path, 'r+');
  await file.write(zeros, 0, zeros.length, at);
  await file.close();
}

async function movedAway(t) {
  const it = await world(t);
  const [at, elsewhere] = [it.store.path, join(it.place, 'elsewhere.db')];
  return { ...it, cause: () => rename(at, elsewhere), undo: () => rename(elsewhere, at) };
}

export const sqliteFaults = ({ full }) => [
  { name: 'syncs of the log fail', tells: true, stops: true, prepare: failing('sluice.db-wal') },
  { name: 'syncs of the database fail', tells: true, stops: true, prepare: failing('sluice.db') },
  ...[
    ['log', 'sluice.db-wal'],
    ['database', 'sluice.db'],
    ['folder', '.'],
  ].map(([what, file]) => ({
    name: `the n-th sync of the ${what} fails, then the power`,
    measure: (_, isGood) => eachSync(file, { full, isGood }),
  })),
  { name: 'the log is deleted', prepare: harmed((path) => rm(`${path}-wal`)) },
  { name: 'the log is truncated', prepare: harmed((path) => truncate(`${path}-wal`, 0)) },
  { name: 'the log is overwritten in its middle', tells: true, prepare: harmed((path) => overwrite(`${path}-wal`, 20 * 4096)) },
  { name: 'the WAL-index is wiped', prepare: harmed((path) => overwrite(`${path}-shm`, 0)) },
  { name: 'the WAL-index is truncated', prepare: harmed((path) => truncate(`${path}-shm`, 0)) },
  { name: 'the database is moved away, and back', tells: true, stops: true, prepare: movedAway },
];
