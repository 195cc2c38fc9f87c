// Reloading: the pipeline of a running server changes, and its senders notice nothing.

import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection, request } from './support/client.mjs';
import { seed, webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, fixture, sluice, start, writePipeline } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const rounds = process.env.SLUICE_LONG ? 1000 : 14;

const reload = (server) => server.ask('/api/reload', { method: 'POST', body: '' });

/** What came of a reload that has to succeed. */
async function reloaded(server) {
  const response = await reload(server);
  assert.equal(response.status, 200, response.text);
  return JSON.parse(response.text);
}

const changes = (result) => Object.fromEntries(result.stages.map(({ kind, change }) => [kind, change]));

const generations = async (server) => JSON.parse((await server.ask('/api/stats')).text).generation;

const optimizations = {
  batches: { stages: { persist: { max_batch: 3 } } },
  'one-worker': { stages: { queue: { workers: 1 } } },
  'another-queue': { stages: { queue: { capacity: 5000 } } },
  scan: { stages: { parse: { use: 'scan' } } },
  'small-cache': { stages: { idempotency: { capacity: 100 } } },
  journal: { ack: 'queued', stages: { queue: { use: 'journal', directory: 'journal' } } },
  'keep-alive': { listen: { keep_alive: '90s' }, events: { pool: { count: 7 } } },
};

test(`${rounds} reloads under load that switch overlays on and off: nothing is lost, refused, doubled or reordered`, async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  // Two stages on one file take turns at SQLite's lock, which is not fair: that takes time.
  const slow = { 'another-store': { stages: { persist: { busy_timeout: '59s' } } } };
  const all = process.env.SLUICE_LONG ? { ...optimizations, ...slow } : optimizations;
  const names = Object.keys(all);
  const pipeline = around(store.stage({ busy_timeout: '60s' }), { optimizations: all, enable: [] });
  const server = await start(t, pipeline, { directory });
  const load = new Load(t, server.url, { seed });
  load.start();
  await load.progress(10);
  const descriptors = async () => (await server.metrics()).value('process_open_fds');
  const before = await descriptors();
  for (let round = 0; round < rounds; round++) {
    const enable = round % 2 ? [names[(round >> 1) % names.length]] : [];
    await writePipeline(directory, { ...pipeline, enable });
    const result = await reloaded(server);
    assert.deepEqual(result.optimizations, enable);
    await load.progress(20);
  }
  await load.stop();
  assert.equal(await generations(server), rounds + 1);
  await writePipeline(directory, pipeline);
  await reloaded(server);
  // The last five generations can be gone back to, and each holds the files of its stages.
  await until('descriptors to be given back', async () => (await descriptors()) <= before + 40);
  assert.deepEqual(load.refusals.map(({ text }) => text), []);
  assert.equal(load.cut, 0, 'a connection was lost');
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.log.slice(-2000));
  const result = compare(load, await store.events());
  t.diagnostic(JSON.stringify(result));
  assert.equal(faults(result), 0, `seed ${seed}: ${JSON.stringify(result)}`);
  const audit = await sluice(['audit', 'verify', server.file]);
  assert.equal(audit.code, 0, audit.stderr);
});

test('what is unchanged is carried over with what it knows; an authentication stage reads its keys again', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const pipeline = around(store.stage());
  const server = await start(t, pipeline, { directory });
  assert.equal((await server.post(webhook('known'))).status, 202);
  const same = { auth: 'created_again', parse: 'carried_over', idempotency: 'carried_over', queue: 'carried_over', persist: 'carried_over' };
  assert.deepEqual(changes(await reloaded(server)), same);
  assert.equal((await server.post(webhook('known'))).status, 200, 'the cache was lost');
  await writePipeline(directory, around(store.stage(), { queue: { capacity: 77 } }));
  const queue = { ...same, idempotency: 'created_again', queue: 'created' };
  assert.deepEqual(changes(await reloaded(server)), queue);
  await writePipeline(directory, around(store.stage(), { queue: { capacity: 77, workers: 2 } }));
  assert.deepEqual(changes(await reloaded(server)), same);
  assert.equal((await server.metrics()).all('webhook_worker_utilization').length, 2);
  const other = new Flaky(join(directory, 'other'));
  await mkdir(join(directory, 'other'));
  await writePipeline(directory, around(other.stage(), { queue: { capacity: 77, workers: 2 } }));
  assert.deepEqual(changes(await reloaded(server)), { ...same, idempotency: 'created_again', persist: 'created' });
  assert.equal((await server.post(webhook('elsewhere'))).status, 202);
  assert.deepEqual(await other.ids(), ['elsewhere']);
});

test('a stage file that was replaced on disk is replaced in the pipeline', async (t) => {
  const directory = await makeDirectory(t);
  const stage = join(directory, 'auth.so');
  await copyFile(fixture('auth', 'first'), stage);
  const server = await start(t, around({ persist: 'sqlite', path: 't.db' }, { auth: { auth: stage } }), { directory });
  const hash = async () => JSON.parse((await server.ask('/api/pipeline')).text).stages[0].sha256;
  const before = await hash();
  await copyFile(fixture('auth', 'second'), stage);
  const { stages } = await reloaded(server);
  assert.notEqual(stages[0].sha256, before);
  assert.equal(await hash(), stages[0].sha256);
  assert.equal((await server.post(webhook('after'))).status, 202);
});

test('a reload that fails says where and why, and the old generation serves on', async (t) => {
  const directory = await makeDirectory(t);
  const sound = around({ persist: 'sqlite', path: 't.db' });
  const server = await start(t, sound, { directory });
  const cases = [
    ['stages:\n  - auth: none\n  - parse: jsn\n', 422, /pipeline\.yaml:3:\d+: .*did you mean "json"/],
    ['stages: [', 422, /pipeline\.yaml:\d+:\d+: /],
    [JSON.stringify(around({ persist: 'sqlite', path: join(directory, 'no-folder', 't.db') })), 422, /persist\/sqlite: .*no-folder/],
    [JSON.stringify(around({ persist: 'postgres', url: 'postgresql://127.0.0.1:1/none', pool: { connect_timeout: '1s' } })), 503, /persist\/postgres/],
  ];
  for (const [text, status, reason] of cases) {
    await writeFile(server.file, text);
    const response = await reload(server);
    assert.equal(response.status, status, response.text);
    assert.match(JSON.parse(response.text).detail, reason);
    assert.equal((await server.post(webhook(`during-${status}-${text.length}`))).status, 202);
  }
  assert.equal(await generations(server), 1);
  const command = await sluice(['reload', '--admin', server.admin]);
  assert.equal(command.code, 1);
  assert.match(command.stderr, /503: persist\/postgres/);
  await writePipeline(directory, sound);
  assert.equal((await sluice(['reload', '--admin', server.admin])).code, 0);
});

test('SIGHUP reloads; settings that need a restart are named', async (t) => {
  const directory = await makeDirectory(t);
  const pipeline = around({ persist: 'sqlite', path: 't.db' });
  const server = await start(t, pipeline, { directory });
  const listen = { threads: 3, max_body: '1KiB' };
  await writePipeline(directory, { ...pipeline, listen, observability: { lineage: { recent: 5 } } });
  server.signal('SIGHUP');
  for (const name of ['listen.threads', 'observability.lineage.recent'])
    await until(`a warning of ${name}`, () => server.log.includes(`restart_needed setting=${name}`));
  assert.equal(await generations(server), 2);
  assert.doesNotMatch(server.log, /restart_needed setting=listen\.(port|max_body)/);
  assert.equal((await server.post('x'.repeat(2000))).status, 413, 'max_body was not taken over');
  assert.deepEqual((await reloaded(server)).needs_restart, ['listen.threads', 'observability.lineage.recent']);
});

test('while the store is away a new generation serves, and a third waits until it can', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const server = await start(t, around(store.stage(), { listen: { deadline: '60s' } }), { directory });
  await store.hold();
  const before = Array.from({ length: 3 }, (_, i) => request(server.url, { body: webhook(`before-${i}`, { stream: 's' }) }));
  await server.atLeast(3, 'webhook_queue_inside');
  await writePipeline(directory, around(store.stage(), { queue: { capacity: 50 }, listen: { deadline: '60s' } }));
  assert.equal((await reloaded(server)).generation, 2);
  const after = Array.from({ length: 3 }, (_, i) => request(server.url, { body: webhook(`after-${i}`, { stream: 's' }) }));
  await server.atLeast(6, 'webhook_in_flight');
  let returned = false;
  const third = reload(server).finally(() => (returned = true));
  for (let i = 0; i < 3; i++) assert.equal(await generations(server), 2);
  assert.equal(returned, false, 'it did not wait for the second to be alone');
  await store.release();
  for (const response of await Promise.all([...before, ...after])) assert.equal(response.status, 202);
  const ids = await store.ids();
  assert.deepEqual(ids.slice(0, 3).every((id) => id.startsWith('before')), true, ids.join());
  assert.equal((await third).status, 200);
  assert.equal(await generations(server), 3);
});

test('a worker that holds a stream keeps it from the workers of the next generation', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const server = await start(t, around(store.stage({ retry: { min: '4ms' } }), { listen: { deadline: '60s' } }), { directory });
  await store.hold();
  const sent = [];
  const send = (id) => sent.push(request(server.url, { body: webhook(id, { stream: 's' }) }));
  send('first');
  await server.atLeast(1, 'webhook_in_flight');
  await writePipeline(directory, around(store.stage(), { listen: { deadline: '60s' }, queue: { workers: 2 } }));
  await reloaded(server);
  for (const id of ['second', 'third']) {
    send(id);
    await server.atLeast(sent.length, 'webhook_in_flight');
  }
  await store.release();
  for (const response of await Promise.all(sent)) assert.equal(response.status, 202);
  assert.deepEqual(await store.ids(), ['first', 'second', 'third']);
});

test('SIGTERM during a reload, under load: exit 0, and every 2xx is stored', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const pipeline = around(store.stage());
  const server = await start(t, pipeline, { directory });
  const load = new Load(t, server.url, { seed });
  load.start();
  await load.progress(50);
  for (const workers of [1, 2, 3]) {
    await writePipeline(directory, around(store.stage(), { queue: { workers, capacity: 1000 + workers } }));
    server.signal('SIGHUP');
  }
  assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null }, server.log.slice(-2000));
  await load.stop();
  const result = compare(load, await store.events());
  assert.equal(faults(result), 0, JSON.stringify(result));
});

test('who asks for a reload and goes leaves nothing behind', async (t) => {
  const server = await start(t, around({ persist: 'sqlite', path: 't.db' }));
  for (let i = 0; i < 3; i++) {
    const connection = await Connection.open(server.admin);
    connection.write(`POST /api/reload HTTP/1.1\r\nHost: ${new URL(server.admin).host}\r\nContent-Length: 0\r\n\r\n`);
    connection.close();
  }
  await reloaded(server); // after those, since one at a time is made
  assert.equal((await server.ask('/api/health')).status, 200);
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.log.slice(-2000));
});
