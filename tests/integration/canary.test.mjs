// A canary: two pipelines at once, and guards that give all traffic back when the new one does harm.

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { seed, webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, sluice, start, writePipeline } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { patience, until } from './support/wait.mjs';

const post = (server, path) => server.ask(path, { method: 'POST', body: '' });
const status = async (server) => JSON.parse((await server.ask('/api/canary')).text);
const stats = async (server) => JSON.parse((await server.ask('/api/stats')).text);
const logged = (server, pattern) => until(`${pattern} in the log`, () => pattern.exec(server.log));

async function change(server, path) {
  const response = await post(server, path);
  assert.equal(response.status, 200, response.text);
  return JSON.parse(response.text);
}

async function refused(server, path, code, pattern) {
  const response = await post(server, path);
  assert.equal(response.status, code, response.text);
  assert.match(JSON.parse(response.text).detail, pattern);
}

const phase = (server, wanted) => until(`phase ${wanted}`, async () => (await status(server)).phase === wanted);
const startCanary = async (server, query) => {
  await change(server, `/api/canary?do=start&${query}`);
  await until('the streams to move', async () => (await status(server)).phase !== 'counting');
};

// So many streams that both arms have some at any weight.
const depths = Array(24).fill(1);
const workers = { workers: { stages: { queue: { workers: 3 } } } };

test('streams go back and forth between two arms under load: nothing is lost, refused, doubled or reordered', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage(), { optimizations: workers }), { directory });
  const load = new Load(t, server.url, { seed, depths: depths.map(() => 3) });
  load.start();
  await load.progress(200);
  await startCanary(server, 'enable=workers&weight=50%25');
  for (const weight of ['20%25', '90%25', '1%25', '50%25']) {
    await change(server, `/api/canary?do=step&weight=${weight}`);
    await load.progress(200);
  }
  const arms = (await status(server)).arms;
  assert.ok(arms.canary.events > 50 && arms.baseline.events > 50, JSON.stringify(arms));
  await change(server, '/api/canary?do=abort');
  await phase(server, 'none');
  await load.progress(100);
  assert.deepEqual((await stats(server)).optimizations, []);
  await startCanary(server, 'enable=workers&weight=30%25');
  await load.progress(100);
  await change(server, '/api/canary?do=promote');
  await logged(server, /generation_published generation=2 /);
  await phase(server, 'none');
  await load.progress(100);
  assert.deepEqual((await stats(server)).optimizations, ['workers']);
  await startCanary(server, 'disable=workers&weight=50%25');
  await load.progress(100);
  await change(server, '/api/rollback?to=baseline');
  await load.progress(100);
  await phase(server, 'none');
  await load.stop();
  assert.deepEqual(load.refusals.map(({ text }) => text), []);
  const compared = compare(load, await store.events());
  assert.equal(faults(compared), 0, JSON.stringify(compared));
  assert.doesNotMatch(server.log, /canary_tripped/);
});

test('an id that one arm has stored is a duplicate in the other, and each request says its arm', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const overlays = { other: { stages: { persist: { max_batch: 3 }, idempotency: { capacity: 77 } } } };
  const server = await start(t, around(store.stage(), { optimizations: overlays }), { directory });
  const streams = Array.from({ length: 40 }, (_, i) => `stream-${i}`);
  for (const stream of streams) assert.equal((await server.post(webhook(`${stream}-1`, { stream }))).status, 202);
  await startCanary(server, 'enable=other&weight=60%25');
  for (const stream of streams) {
    assert.equal((await server.post(webhook(`${stream}-1`, { stream }))).status, 200);
    assert.equal((await server.post(webhook(`${stream}-2`, { stream }))).status, 202);
  }
  const seen = new Map();
  for (const stream of streams) {
    const { arm } = JSON.parse((await server.ask(`/api/lineage/${stream}-2`)).text);
    seen.set(arm, [...(seen.get(arm) ?? []), stream]);
  }
  assert.deepEqual([...seen.keys()].sort(), ['baseline', 'canary']);
  const counted = await server.metrics();
  assert.equal(counted.value('webhook_canary_events_total', { arm: 'canary' }), 2 * seen.get('canary').length);
  assert.match((await server.ask(`/api/lineage/${seen.get('canary')[0]}-2?format=text`)).text, /^ {2}arm: canary$/m);
  await change(server, '/api/canary?do=abort');
  await phase(server, 'none');
  for (const stream of streams) assert.equal((await server.post(webhook(`${stream}-2`, { stream }))).status, 200);
  assert.equal((await store.events()).length, 2 * streams.length);
});

// A canary whose store is told to do harm; what the log says of it, and what is stored in the end.
async function harm(t, options, weight, pattern) {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const optimizations = { harm: { stages: { persist: options(directory) } } };
  const args = ['--state', join(directory, 'state')];
  const pipeline = around(store.stage(), { optimizations, listen: { deadline: '2s' } });
  const server = await start(t, pipeline, { directory, args });
  const load = new Load(t, server.url, { seed, depths });
  load.start();
  await load.progress(400);
  await startCanary(server, `enable=harm&weight=${weight}`);
  const trip = /canary_tripped generation=2 reason="([^"]*)" onset_ms=(\d+) detected_ms=(\d+) swapped_ms=(\d+)/;
  const [line, reason, onset, , swapped] = await logged(server, trip);
  assert.match(reason, pattern);
  await phase(server, 'none');
  await logged(server, /canary_ended last_response_ms=/);
  await load.progress(50);
  await load.stop();
  const after = await status(server);
  assert.equal(after.tripped.reason, reason);
  assert.deepEqual((await stats(server)).optimizations, []);
  await refused(server, '/api/reload', 409, /sluice rollback --lift/);
  await refused(server, '/api/canary?do=start&enable=harm', 409, /sluice rollback --lift/);
  return { server, directory, args, line, took: swapped - onset };
}

test('half of the requests failing is rolled back within a second, and stays so over kill -9', async (t) => {
  const { server, directory, args, line, took } = await harm(t, () => ({ share: '50%', verdict: 'fail' }), '50%25', /error/);
  assert.ok(took < 1000 * patience, line);
  await server.stop('SIGKILL');
  const next = await start(t, server.file, { directory, args });
  await logged(next, /started_rolled_back left=2 .*error/);
  assert.equal((await next.post(webhook('after'))).status, 202);
  await change(next, '/api/rollback?to=file');
  assert.equal((await change(next, '/api/reload')).rolled_back, false);
});

test('a canary that is slow is rolled back within ten seconds', async (t) => {
  const { line, took } = await harm(t, () => ({ delay: '50ms' }), '50%25', /over the baseline's P95/);
  assert.ok(took < 10000 * patience, line);
});

const stored = async (store, load) =>
  (await store.kept()).map(({ messageId, stream }) => ({
    message_id: messageId,
    stream,
    payload: Buffer.from(load.entries.get(messageId).payload).toString('hex'),
  }));

test('a canary whose store hangs loses its traffic at once, and no stream overtakes what hangs', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const hold = join(directory, 'canary');
  await writeFile(hold, '');
  const optimizations = { harm: { stages: { persist: { hold } } } };
  const server = await start(t, around(store.stage(), { optimizations, listen: { deadline: '1s' } }), { directory });
  const load = new Load(t, server.url, { seed, depths });
  load.start();
  await load.progress(300);
  await startCanary(server, 'enable=harm&weight=20%25');
  const [line] = await logged(server, /canary_tripped .*/);
  assert.match(line, /no response for 2 s|error/);
  await load.progress(100);
  await rm(hold);
  await phase(server, 'none');
  await load.progress(100);
  await load.stop();
  const compared = compare(load, await stored(store, load));
  assert.equal(faults(compared), 0, JSON.stringify(compared));
});

test('what cannot be tried on a part of the traffic is refused, and nothing is changed beside a canary', async (t) => {
  const directory = await makeDirectory(t);
  await mkdir(join(directory, 'elsewhere'));
  const store = await openStore(t, 'sqlite', directory);
  const overlays = {
    size: { listen: { max_body: '1KiB' } },
    parse: { stages: { parse: { use: 'json', message_id: ['/other'] } } },
    place: { stages: { persist: { path: join(directory, 'other.db') } } },
    journal: { ack: 'queued', stages: { queue: { use: 'journal', directory: join(directory, 'journal') } } },
    workers: workers.workers,
  };
  const server = await start(t, around(store.stage(), { optimizations: overlays }), { directory });
  await refused(server, '/api/canary?do=start&enable=size', 422, /listen\.max_body differs/);
  await refused(server, '/api/canary?do=start&enable=parse', 422, /the parse stage differs/);
  await refused(server, '/api/canary?do=start&enable=place', 422, /persist\.path differs/);
  await refused(server, '/api/canary?do=start&enable=journal', 422, /outlives the process/);
  await refused(server, '/api/canary?do=start&enable=nonsense', 422, /nonsense/);
  const elsewhere = await writePipeline(join(directory, 'elsewhere'), around(store.stage()));
  await refused(server, `/api/canary?do=start&file=${encodeURIComponent(elsewhere)}`, 422, /must be in the folder/);
  for (const query of ['', '?do=begin', '?do=start&weight=0%25', '?do=start&weight=100%25', '?do=start&weight=5', '?do=start&wieght=5%25', '?do=abort&weight=5%25', '?do=start&do=abort', '?do=step&enable=workers'])
    assert.equal((await post(server, `/api/canary${query}`)).status, 400, query);
  for (const what of ['step', 'promote', 'abort']) await refused(server, `/api/canary?do=${what}`, 409, /no canary/);
  assert.equal((await status(server)).phase, 'none');
  await startCanary(server, 'enable=workers&weight=5%25');
  await refused(server, '/api/reload', 409, /a canary is on/);
  await refused(server, '/api/canary?do=start&enable=workers', 409, /a canary is on/);
  assert.equal((await change(server, '/api/canary?do=step')).weight, 0.25);
  await change(server, '/api/canary?do=abort');
  await phase(server, 'none');
  assert.equal((await change(server, '/api/reload')).generation, 2);
});

for (const moment of ['start', 'promote', 'abort'])
  test(`kill -9 in the middle of a canary, after ${moment}: the next start serves what is last known to be good`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, 'sqlite', directory);
    const args = ['--state', join(directory, 'state')];
    const pipeline = (enable) => around(store.stage(), { optimizations: workers, enable });
    const server = await start(t, pipeline([]), { directory, args });
    await writePipeline(directory, pipeline(['workers']));
    await startCanary(server, 'weight=50%25');
    if (moment !== 'start') {
      await change(server, `/api/canary?do=${moment}`);
      await logged(server, /canary_ended /);
    }
    await server.stop('SIGKILL');
    const next = await start(t, server.file, { directory, args });
    const expected = moment === 'start' ? [] : ['workers']; // without a canary the file is served, as ever
    assert.deepEqual((await stats(next)).optimizations, expected);
    if (moment === 'start') await logged(next, /started_last_good reason="the last process ended in the middle of a canary"/);
    assert.deepEqual((await change(next, '/api/reload')).optimizations, ['workers']);
  });

test('the command plans, starts, shows and aborts a canary', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage(), { optimizations: workers }), { directory });
  const canary = (...args) => sluice(['canary', ...args, '--admin', server.admin]);
  assert.equal((await canary('plan')).code, 1, 'there is no traffic');
  const load = new Load(t, server.url, { seed });
  load.start();
  await load.progress(200);
  const plan = await canary('plan', '--weight', '50%');
  assert.equal(plan.code, 0, plan.stderr);
  assert.match(plan.stdout, /^50 % errors +[\d.]+ s, 95 %: +[\d.]+ s +\d+$/m);
  const begun = await canary('start', '--enable', 'workers', '--weight', '50%');
  assert.equal(begun.code, 0, begun.stderr);
  await phase(server, 'running');
  assert.match((await canary('status')).stdout, /^canary +running, generation 2, weight 50 %/m);
  assert.equal((await canary('abort')).code, 0);
  await phase(server, 'none');
  assert.equal((await canary('abort')).code, 1);
  assert.equal((await canary('begin')).code, 2);
  assert.equal((await canary('abort', '--enable', 'workers')).code, 2);
  await load.stop();
});

test('two arms that are alike stay on', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage()), { directory });
  const load = new Load(t, server.url, { seed, depths });
  load.start();
  await load.progress(300);
  await startCanary(server, 'weight=50%25');
  await load.progress(3000, { within: 60 });
  const { phase: now, arms } = await status(server);
  assert.equal(now, 'running', server.log);
  assert.equal(arms.canary.errors + arms.baseline.errors, 0);
  await load.stop();
});
