// What goes wrong with the files of SQLite.

import { mkdir, open, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeDirectory } from '../../tests/integration/support/cleanup.mjs';
import { compare, Load } from '../../tests/integration/support/load.mjs';
import { around, build, execute, start } from '../../tests/integration/support/sluice.mjs';
import { openStore } from '../../tests/integration/support/stores.mjs';
import { until } from '../../tests/integration/support/wait.mjs';

const zeros = Buffer.alloc(4 * 4096);
const settings = { listen: { deadline: '2s' } };
const impatient = { retry: { min: '10ms', max: '100ms' } };

/** A disk that forgets what was not synced: see tests/support/forget.c. */
async function world(t, forget) {
  const place = await makeDirectory(t);
  const [directory, memory] = [join(place, 'data'), join(place, 'memory')];
  await mkdir(directory);
  await mkdir(memory);
  const store = await openStore(t, 'sqlite', directory);
  const env = { LD_PRELOAD: join(build, 'tests/forget.so'), FORGET_DIRECTORY: directory, FORGET_MEMORY: memory, ...forget };
  const rows = async ({ server }) => {
    await server.stop('SIGKILL');
    await execute(join(build, 'tests/forget-apply'), [memory, directory]);
    return store.events();
  };
  return { place, directory, store, env, rows, pipeline: around(store.stage(impatient), settings) };
}

const failing = (name) => async (t) => {
  const fault = join(await makeDirectory(t), 'fault');
  const it = await world(t, { FORGET_FAIL_WHILE: fault, FORGET_FAIL_NAME: name });
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

/** A server whose n-th sync of that file fails, until it has, and then no power. */
async function failOnce(t, name, number) {
  const it = await world(t, { FORGET_FAIL_AT: `${number}`, FORGET_FAIL_NAME: name });
  const failed = () => stat(join(it.env.FORGET_MEMORY, 'failed')).then(() => true, () => false);
  const server = await start(t, it.pipeline, it).catch(async (error) => {
    if (await failed()) return undefined; // it must not start on such a disk
    throw error;
  });
  if (!server) return { felt: true };
  const load = new Load(t, server.url);
  load.start();
  for (let i = 0; i < 8 && !(await failed()); i++) await load.progress(100, { within: 60 });
  await load.progress(100, { within: 60 });
  await load.stop();
  return { felt: await failed(), ...compare(load, await it.rows({ server })) };
}

const eachSync = (name, numbers) => async (t) => {
  const totals = { answered: 0, lost: 0, doubled: 0, altered: 0, unknown: 0, outOfOrder: 0 };
  let felt = 0;
  for (const number of numbers) {
    const result = await failOnce(t, name, number);
    felt += result.felt ? 1 : 0;
    for (const key of Object.keys(totals)) totals[key] += result[key] ?? 0;
  }
  return { ...totals, note: `, ${felt} of ${numbers.length} n felt` };
};

const steps = (full) => (full ? Array.from({ length: 200 }, (_, i) => i + 1) : [1, 2, 3, 5, 8, 20, 60, 150]);

export const sqliteFaults = ({ full }) => [
  { name: 'syncs of the log fail', tells: true, stops: true, prepare: failing('sluice.db-wal') },
  { name: 'syncs of the database fail', tells: true, stops: true, prepare: failing('sluice.db') },
  ...[
    ['log', 'sluice.db-wal'],
    ['database', 'sluice.db'],
    ['folder', '.'],
  ].map(([what, file]) => ({
    name: `the n-th sync of the ${what} fails, then the power`,
    measure: eachSync(file, steps(full)),
  })),
  { name: 'the log is deleted', prepare: harmed((path) => rm(`${path}-wal`)) },
  { name: 'the log is truncated', prepare: harmed((path) => truncate(`${path}-wal`, 0)) },
  { name: 'the log is overwritten in its middle', tells: true, prepare: harmed((path) => overwrite(`${path}-wal`, 20 * 4096)) },
  { name: 'the WAL-index is wiped', prepare: harmed((path) => overwrite(`${path}-shm`, 0)) },
  { name: 'the WAL-index is truncated', prepare: harmed((path) => truncate(`${path}-shm`, 0)) },
  { name: 'the database is moved away, and back', tells: true, stops: true, prepare: movedAway },
];
