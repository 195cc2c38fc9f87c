// The files of an SQLite store under load: syncs that fail, files that are deleted, moved or replaced. Nothing that was
// acknowledged is lost, health says why within two seconds, and it is good again within five of the cause's end.

import assert from 'node:assert/strict';
import { copyFile, mkdir, rename, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { compare, Load } from './support/load.mjs';
import { around, build, execute, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const settings = { listen: { deadline: '1s' } };
const small = { checkpoint_size: '64KiB', wal_limit: '128KiB' }; // so that checkpoints are in it, too
const depths = [1, 1, 1, 4];

async function isWell(server) {
  return (await server.ask('/api/health')).status === 200;
}

async function whyUnwell(server) {
  const response = await server.ask('/api/health');
  return response.status === 503 && response.json().reasons.join(' ');
}

async function expectNothingLost(t, load, store) {
  const result = compare(load, await store.events());
  t.diagnostic(JSON.stringify({ ...result, answers: load.answers }));
  assert.deepEqual(
    { lost: result.lost, doubled: result.doubled, altered: result.altered },
    { lost: 0, doubled: 0, altered: 0 },
  );
}

// What the disk kept: all that was not synced is taken away.
async function cutPower(server, memory, directory) {
  await server.stop('SIGKILL');
  const { code, stderr } = await execute(join(build, 'tests/forget-apply'), [memory, directory]);
  assert.equal(code, 0, stderr);
}

for (const [name, file] of [
  ['of the log', 'sluice.db-wal'],
  ['of the database', 'sluice.db'],
  ['of all files', undefined],
]) {
  test(`syncs ${name} fail for a while under load, then the power`, async (t) => {
    const directory = await makeDirectory(t);
    const [data, memory, failing] = ['data', 'memory', 'failing'].map((part) => join(directory, part));
    await Promise.all([mkdir(data), mkdir(memory)]);
    const store = await openStore(t, 'sqlite', data);
    const server = await start(t, around(store.stage(small), settings), {
      directory,
      env: {
        LD_PRELOAD: join(build, 'tests/forget.so'),
        ASAN_OPTIONS: 'verify_asan_link_order=0:detect_leaks=0',
        FORGET_DIRECTORY: data,
        FORGET_MEMORY: memory,
        FORGET_FAIL_WHILE: failing,
        ...(file && { FORGET_FAIL_NAME: file }),
      },
    });
    const load = new Load(t, server.url, { depths });
    load.start();
    await load.progress(100);
    await writeFile(failing, '');
    assert.match(await until('bad health', () => whyUnwell(server), { within: 2 }), /the disk did not keep/);
    await unlink(failing);
    await until('good health', () => isWell(server), { within: 5 });
    await load.progress(100);
    await cutPower(server, memory, data);
    await load.stop();
    await expectNothingLost(t, load, store);
  });
}

const harms = {
  'the log is deleted': async (path) => unlink(`${path}-wal`),
  'the log is truncated': async (path) => truncate(`${path}-wal`),
  'the database is deleted': async (path) => unlink(path),
  'database, log and index are deleted': async (path) =>
    Promise.all(['', '-wal', '-shm'].map((suffix) => unlink(path + suffix))),
  'the database is moved and comes back': async (path, data, server) => {
    await rename(path, `${path}.gone`);
    const reasons = await until('bad health', () => whyUnwell(server), { within: 2 });
    assert.match(reasons, /the database file was moved away/);
    await rename(`${path}.gone`, path);
  },
  'the folder is moved and comes back': async (path, data, server) => {
    await rename(data, `${data}.gone`);
    await until('bad health', () => whyUnwell(server), { within: 2 });
    await rename(`${data}.gone`, data);
  },
};
for (const [name, harm] of Object.entries(harms)) {
  test(`${name} under load, then a kill`, async (t) => {
    const data = join(await makeDirectory(t), 'data');
    await mkdir(data);
    const store = await openStore(t, 'sqlite', data);
    const server = await start(t, around(store.stage(small), settings));
    const load = new Load(t, server.url, { depths });
    load.start();
    await load.progress(100);
    await harm(store.path, data, server);
    await until('commits that succeed again', () => /commits_succeed/.test(server.log), { within: 5 });
    assert.match(server.log, /commits_fail .*while in use/);
    await load.progress(100);
    await server.stop('SIGKILL');
    await load.stop();
    await expectNothingLost(t, load, store);
  });
}

test('an older copy in the place of the database: no 200 for what it lacks', async (t) => {
  const data = join(await makeDirectory(t), 'data');
  await mkdir(data);
  const store = await openStore(t, 'sqlite', data);
  const server = await start(t, around(store.stage(small), settings));
  const status = async (id) => (await server.post(webhook(id, { payload: '1' }))).status;
  assert.equal(await status('before'), 202);
  await store.query('PRAGMA wal_checkpoint(TRUNCATE)');
  await copyFile(store.path, `${store.path}.copy`);
  assert.equal(await status('after'), 202);
  assert.equal(await status('after'), 200);
  await rename(`${store.path}.copy`, store.path);
  await until('the replaced file to be noticed', () => /database_replaced/.test(server.log), { within: 2 });
  await until('good health', () => isWell(server), { within: 5 });
  assert.equal(await status('before'), 200);
  assert.equal(await status('after'), 202);
  assert.match(server.log, /acknowledged_events_lost/);
});

test('check refuses, with the same cause, what run refuses', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage(), settings), { directory });
  await server.stop();
  assert.equal((await sluice(['check', server.file])).code, 0);
  await rm(store.path);
  for (const [path, cause] of [
    [join(directory, 'missing', 'x.db'), /No such file or directory/],
    [directory, /it is a folder, expected a database file/],
    [join(server.file, 'x.db'), /is a file, expected a folder/],
    [':memory:', /databases in memory/],
  ]) {
    const flags = [server.file, '--set', `persist.path=${path}`];
    const checked = await sluice(['check', ...flags]);
    const run = await sluice(['run', ...flags, '--set', 'listen.port=0', '--set', 'admin.port=0']);
    assert.deepEqual([checked.code, run.code], [1, 2], checked.stderr + run.stderr);
    assert.match(checked.stderr, cause);
    assert.match(run.stderr, cause);
  }
});
