// The way back: to an earlier generation, or to no overlay, and what is left of that after a restart.

import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { randomFrom, seed, webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, sluice, start, writePipeline } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { patience, pause, until } from './support/wait.mjs';

const optimizations = { small: { listen: { max_body: '1KiB' } }, smaller: { listen: { max_body: '100B' } } };
const pipeline = (enable = []) => around({ persist: 'sqlite', path: 't.db' }, { optimizations, enable });

const post = (server, path) => server.ask(path, { method: 'POST', body: '' });
const stats = async (server) => JSON.parse((await server.ask('/api/stats')).text);

const logged = (server, pattern) => until(`${pattern} in the log`, () => pattern.test(server.log));

async function change(server, path) {
  const response = await post(server, path);
  assert.equal(response.status, 200, response.text);
  return JSON.parse(response.text);
}

async function publish(server, enable) {
  await writePipeline(server.directory, pipeline(enable));
  return change(server, '/api/reload');
}

test('rollback goes to the generation before, to a number, to the baseline; and is latched until it is lifted', async (t) => {
  const server = await start(t, pipeline());
  const serves = async (generation, overlays, isBack) => {
    const now = await stats(server);
    assert.deepEqual([now.generation, now.optimizations, !!now.rolled_back], [generation, overlays, isBack]);
  };
  assert.equal((await post(server, '/api/rollback')).status, 422, 'there is none before the first');
  await publish(server, ['small']);
  await publish(server, ['smaller']);
  assert.equal((await change(server, '/api/rollback')).rolled_back, true);
  await serves(4, ['small'], true);
  assert.equal((await server.post('x'.repeat(500))).status, 400, 'the limit of 100 bytes is still there');
  await change(server, '/api/rollback');
  await serves(5, [], true);
  assert.equal((await post(server, '/api/rollback')).status, 422, 'the generations that were left are gone back to');
  await change(server, '/api/rollback?to=3');
  await serves(6, ['smaller'], true);
  await change(server, '/api/rollback?to=baseline');
  await serves(7, [], true);
  assert.equal((await post(server, '/api/rollback?to=1')).status, 422, 'more than five are kept');
  for (const to of ['0', 'x', '3x', '-1']) assert.equal((await post(server, `/api/rollback?to=${to}`)).status, 400);
  const refused = await post(server, '/api/reload');
  assert.equal(refused.status, 409);
  assert.match(JSON.parse(refused.text).detail, /sluice rollback --lift/);
  assert.match((await sluice(['status', '--admin', server.admin])).stdout, /rolled back generation 6/);
  const lifted = await sluice(['rollback', '--lift', '--admin', server.admin]);
  assert.equal(lifted.code, 0, lifted.stderr);
  await serves(8, ['smaller'], false);
  assert.equal((await sluice(['rollback', '3', '--baseline'])).code, 2);
});

test('the kill switch works under load within a second, whatever has become of the file', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const overlays = { workers: { stages: { queue: { workers: 1, capacity: 500 }, persist: { max_batch: 2 } } } };
  const server = await start(t, around(store.stage(), { optimizations: overlays, enable: ['workers'] }), { directory });
  const load = new Load(t, server.url, { seed });
  load.start();
  await load.progress(50);
  await writeFile(server.file, 'stages: [');
  const result = await change(server, '/api/rollback?to=baseline');
  assert.deepEqual(result.optimizations, []);
  assert.ok(Object.values(result.took_ms).reduce((a, b) => a + b) < 1000 * patience, JSON.stringify(result.took_ms));
  await logged(server, /rolled_back left=1 generation=2 /);
  await load.progress(50);
  await load.stop();
  assert.deepEqual(load.refusals.map(({ text }) => text), []);
  const compared = compare(load, await store.events());
  assert.equal(faults(compared), 0, JSON.stringify(compared));
});

test('a rollback survives kill -9 and a clean restart, until somebody lifts it', async (t) => {
  const directory = await makeDirectory(t);
  const args = ['--state', join(directory, 'state')];
  let server = await start(t, pipeline(), { directory, args });
  await publish(server, ['small']);
  await change(server, '/api/rollback');
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await server.stop(signal);
    server = await start(t, server.file, { directory, args });
    await logged(server, /started_rolled_back left=2 .*lift="sluice rollback --lift"/);
    assert.deepEqual((await stats(server)).optimizations, []);
    assert.equal((await post(server, '/api/reload')).status, 409);
  }
  assert.equal((await stats(server)).generation, 5, 'the numbers go on');
  await change(server, '/api/rollback?to=file');
  await server.stop();
  server = await start(t, server.file, { directory, args });
  const now = await stats(server);
  assert.deepEqual([now.optimizations, now.rolled_back], [['small'], undefined]);
  await change(server, '/api/rollback?to=baseline');
  await server.stop();
  server = await start(t, server.file, { directory, args: [...args, '--lift'] });
  assert.deepEqual((await stats(server)).optimizations, ['small']);
  const files = (await readdir(join(directory, 'state'))).sort();
  assert.equal(files.length, 7, `five generations, the state and its lock: ${files}`);
});

test('after kill -9 the last good pipeline is served where the file is broken; after a clean stop the file is refused', async (t) => {
  const directory = await makeDirectory(t);
  const args = ['--state', join(directory, 'state')];
  let server = await start(t, pipeline(['small']), { directory, args });
  const { file } = server;
  await writeFile(file, 'stages: [');
  assert.equal((await post(server, '/api/reload')).status, 422);
  await server.stop('SIGKILL');
  server = await start(t, file, { directory, args });
  await logged(server, /started_last_good reason=.*pipeline\.yaml:\d+:\d+/);
  assert.deepEqual((await stats(server)).optimizations, ['small']);
  assert.equal((await server.post(webhook('served'))).status, 202);
  await publish(server, []);
  await until('the file to be served', async () => (await stats(server)).optimizations.length === 0);
  await server.stop();
  await writeFile(file, 'stages: [');
  const refused = await sluice(['run', file, ...args], { cwd: directory });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /pipeline\.yaml:\d+:\d+/);
});

const kills = process.env.SLUICE_LONG ? 100 : 3;

test(`kill -9 at ${kills} moments of a rollback: the next start serves, on the way back or as before`, async (t) => {
  const directory = await makeDirectory(t);
  const random = randomFrom(seed);
  for (let i = 0; i < kills; i++) {
    const args = ['--state', join(directory, `state-${i}`)];
    const server = await start(t, pipeline(['small']), { directory, args });
    const asked = post(server, '/api/rollback?to=baseline').then(({ status }) => status, () => undefined);
    await pause(random() * 30);
    await server.stop('SIGKILL');
    const answered = await asked;
    const next = await start(t, server.file, { directory, args });
    const { optimizations: overlays, rolled_back: latch } = await stats(next);
    assert.deepEqual(overlays, latch ? [] : ['small'], next.log);
    assert.ok(latch || answered !== 200, `seed ${seed}: a rollback that was answered is gone`);
    assert.equal((await next.post(webhook(`after-${i}`))).status, 202);
    await next.stop();
  }
});

test('a rollback that is not on the disk exits 1, and a folder has one server', async (t) => {
  const directory = await makeDirectory(t);
  const args = ['--state', join(directory, 'state')];
  const server = await start(t, pipeline(['small']), { directory, args });
  await mkdir(join(directory, 'state', 'pipeline.yaml.generations.json.new'));
  const back = await sluice(['rollback', '--baseline', '--admin', server.admin]);
  assert.equal(back.code, 1);
  assert.match(back.stderr, /it serves, but a restart would not know of it: .*generations\.json: cannot be written/);
  assert.deepEqual((await stats(server)).optimizations, []);
  const second = await sluice(['run', server.file, ...args], { cwd: directory });
  assert.equal(second.code, 2);
  assert.match(second.stderr, /another server that serves a pipeline file named pipeline\.yaml/);
});

const journal = (directory) => ({ journal: { ack: 'queued', stages: { queue: { use: 'journal', directory } } } });

// Three events that no store has yet, then what is done to the server, kill -9, and what is done to the file.
async function leaveBacklog(t, interfere, then) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const args = ['--state', join(directory, 'state')];
  const served = (place) => around(store.stage(), { optimizations: journal(place), enable: ['journal'] });
  let server = await start(t, served('a'), { directory, args });
  const release = await store.lock(t);
  for (const id of ['a1', 'a2', 'a3']) assert.equal((await server.post(webhook(id, { stream: 'one' }))).status, 202);
  await interfere(server, served);
  await server.stop('SIGKILL');
  await release();
  await then(server.file);
  server = await start(t, server.file, { directory, args });
  const ids = (await store.events()).map((row) => row.message_id);
  assert.deepEqual(ids, ['a1', 'a2', 'a3'], server.log);
  await logged(server, /backlog_delivered place=\S*a\b/);
  return server;
}

test('what a generation before acknowledged comes to the store first, also where the file is broken', async (t) => {
  const back = (server) => change(server, '/api/rollback?to=baseline');
  const server = await leaveBacklog(t, back, (file) => writeFile(file, 'stages: ['));
  await logged(server, /backlog_not_searched file=\S*pipeline\.yaml reason=/);
});

test('what a generation before acknowledged comes to the store first, also where the file names another place', (t) =>
  leaveBacklog(
    t,
    async (server, served) => {
      await writePipeline(server.directory, served('b'));
      await change(server, '/api/reload');
    },
    () => {},
  ));

test('a guard goes back within a second of the first 5xx, says why, and lets a harmless change be', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const hold = join(directory, 'held');
  await writeFile(hold, '');
  const guarded = { optimizations: { harm: { stages: { persist: { hold } } }, harmless: { stages: { queue: { workers: 2 } } } } };
  const served = (enable) => around(store.stage(), { listen: { deadline: '100ms' }, ...guarded, enable });
  const server = await start(t, served([]), { directory });
  const load = new Load(t, server.url, { seed });
  load.start();
  await load.progress(20);
  await writePipeline(directory, served(['harmless']));
  await change(server, '/api/reload?guard=50ms');
  await until('the guard to pass', () => server.log.includes('guard_passed generation=2'));
  await writePipeline(directory, served(['harmless', 'harm']));
  await change(server, '/api/reload?guard=60s');
  const tripped = /guard_tripped reason="([^"]*)" onset_ms=(-?\d+) tripped_ms=(\d+) over_ms=(\d+) status=200/;
  const [, reason, onset, , over] = await until('the guard to trip', () => tripped.exec(server.log));
  assert.match(reason, /responses were 5xx|health: /);
  assert.ok(over - onset < 1000 * patience, tripped.exec(server.log)[0]);
  await load.progress(20);
  const now = await stats(server);
  assert.deepEqual([now.generation, now.optimizations, now.rolled_back.left, now.rolled_back.reason], [4, ['harmless'], 3, reason]);
  await load.stop();
  const compared = compare(load, (await store.kept()).map(({ messageId, stream }) => ({ message_id: messageId, stream, payload: Buffer.from(load.entries.get(messageId).payload).toString('hex') })));
  assert.equal(faults(compared), 0, JSON.stringify(compared));
  assert.equal((await post(server, '/api/reload?guard=soon')).status, 400);
});
