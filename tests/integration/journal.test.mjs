// A queue that answers from the disk: what got its 2xx comes to the store, whoever dies, once and in order.
//
// Three rounds, twenty with SLUICE_LONG=1. SLUICE_SEED repeats the moments of a run.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { randomFrom, seed, webhook } from './support/events.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const rounds = process.env.SLUICE_LONG ? 20 : 3;
const impatient = { retry: { min: '10ms', max: '100ms' } };

// Small segments, so that they rotate.
const journaled = (store, settings) =>
  around(store.stage(impatient), {
    ack: 'queued',
    queue: { queue: 'journal', directory: 'journal', segment_size: '256KiB', max_size: '64MiB' },
    ...settings,
  });

/** Waits until nothing acknowledged is left in the journal. */
const delivered = (server) =>
  until('the journal to be empty', async () => (await server.metrics()).value('webhook_queue_inside') === 0, {
    within: 30,
  });

async function judge(t, name, load, store) {
  const result = compare(load, await store.events());
  t.diagnostic(`${name}: ${JSON.stringify(result)}`);
  assert.equal(faults(result), 0, `${name}, seed ${seed}: ${JSON.stringify(result)}`);
  return result;
}

for (const kind of kinds) {
  test(`what the journal acknowledged survives kill -9 of sluice before ${kind}, ${rounds} times`, async (t) => {
    const random = randomFrom(seed);
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const load = new Load(t, undefined, { seed });
    for (let round = 1; round <= rounds; round++) {
      const server = await start(t, journaled(store), { directory });
      load.url = server.url;
      if (round === 1) load.start();
      await load.progress(1 + Math.floor(random() * 1500), { within: 30 });
      assert.deepEqual(await server.stop('SIGKILL'), { code: null, signal: 'SIGKILL' });
    }
    await load.stop();
    const server = await start(t, journaled(store), { directory });
    await delivered(server);
    assert.ok(load.cut > 0, 'no request was on its way when sluice was killed');
    const result = await judge(t, `kill -9 of sluice before ${kind}`, load, store);
    assert.ok(result.answered > rounds);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
}

// In batches, so that each kill meets many events at once.
test(`what the journal acknowledged survives kill -9 of PostgreSQL, ${rounds} times`, async (t) => {
  const random = randomFrom(seed + 1);
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory, { apart: true });
  // room for all that comes while a busy machine starts PostgreSQL again
  const batched = journaled(store, { events: { max: 200000, max_bytes: '1GiB' } });
  batched.stages = batched.stages.map((stage) => (stage.persist ? { ...stage, persist: 'postgres_batch' } : stage));
  const server = await start(t, batched, { directory });
  const load = new Load(t, server.url, { seed });
  load.start();
  for (let round = 1; round <= rounds; round++) {
    await load.progress(1 + Math.floor(random() * 1500), { within: 30 });
    await store.server.kill();
    await load.progress(100, { within: 30 }); // its senders notice nothing
    await store.server.restart();
  }
  await load.progress(200, { within: 30 });
  await load.stop();
  await delivered(server);
  await judge(t, 'kill -9 of PostgreSQL behind the journal', load, store);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

const dead = async (server, ...args) => {
  const { code, stdout, stderr } = await sluice(['dead', args[0], server.file, ...args.slice(1)], {
    cwd: server.directory,
  });
  return { code, stdout, stderr };
};

for (const kind of kinds) {
  test(`what ${kind} refuses behind the journal is a dead letter, its stream goes on, and replay stores it once`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const server = await start(t, journaled(store), { directory });
    const send = (id, requestId) =>
      server.post(webhook(id, { stream: 'one' }), { 'X-Request-Id': requestId }).then((response) => response.status);
    await store.refuse('poison');
    assert.deepEqual([await send('a', 'fine'), await send('b', 'poison'), await send('c', 'fine')], [202, 202, 202]);
    await delivered(server);
    const ids = async () => (await store.events()).map((row) => row.message_id);
    assert.deepEqual(await ids(), ['a', 'c']);

    const listed = JSON.parse((await dead(server, 'list', '--json')).stdout);
    assert.deepEqual(
      listed.map((letter) => [letter.message_id, letter.stream]),
      [['b', 'one']],
    );
    assert.match(listed[0].reason, kind === 'sqlite' ? /not this one/ : /refuse/);
    assert.match(listed[0].refused_at, /^\d{4}-\d\d-\d\dT/);
    const id = String(listed[0].id);
    const shown = await dead(server, 'show', id, id); // once, and found
    assert.equal(shown.code, 0, shown.stderr);
    assert.equal(shown.stdout.match(/message id: {2}b\n/g).length, 1);
    const other = await dead(server, 'list', '77');
    assert.equal(other.code, 1);
    assert.match(other.stdout, /No dead letter has that id/);

    const early = await dead(server, 'replay');
    assert.equal(early.code, 1, early.stderr);
    assert.match(early.stdout, /refused again: /);
    await store.accept();
    const replayed = await dead(server, 'replay');
    assert.equal(replayed.code, 0, replayed.stderr);
    assert.match(replayed.stdout, / b {2}stored\n/);
    assert.deepEqual(await ids(), ['a', 'c', 'b']);
    assert.match((await dead(server, 'list')).stdout, /There are no dead letters/);
    assert.equal((await dead(server, 'replay', '77')).code, 1);
    assert.ok([200, 202].includes(await send('b', 'again'))); // 202 where another process wrote to the store
    await delivered(server);
    assert.deepEqual(await ids(), ['a', 'c', 'b']);
    const audit = await sluice(['audit', 'verify', server.file], { cwd: directory });
    assert.equal(audit.code, 0, audit.stdout);
  });
}

test('verify counts dead letters, which are not lost; one that is dropped is', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, journaled(store), { directory });
  const run = (...args) => sluice(args, { cwd: directory });
  await run('generate', '--count', '50', '--output', 'events.jsonl');
  await store.query(`CREATE TRIGGER refuse BEFORE INSERT ON webhook_events WHEN NEW.message_id LIKE '%7'
    BEGIN SELECT RAISE(ABORT, 'not this one'); END`);
  const replay = ['replay', '--input', 'events.jsonl', '--url', `${server.url}/webhooks`, '--rate', '500'];
  const sent = await run(...replay, '--output', 'run');
  assert.ok([0, 30].includes(sent.code), sent.stderr); // 30: the machine was busy, so its times do not count
  await delivered(server);
  const verify = async () => {
    const { code, stdout, stderr } = await run('verify', 'run', server.file, '--json', '--input', 'events.jsonl');
    assert.notEqual(code, 2, stderr);
    return { code, ...JSON.parse(stdout) };
  };
  const before = await verify();
  assert.equal(before.code, 0);
  assert.ok(before.dead_letters > 0, JSON.stringify(before));
  assert.equal(before.stored + before.dead_letters, before.answered);
  const [first] = JSON.parse((await dead(server, 'list', '--json')).stdout);
  assert.equal((await dead(server, 'drop', String(first.id))).code, 0);
  const after = await verify();
  assert.deepEqual([after.code, after.lost, after.dead_letters], [1, 1, before.dead_letters - 1]);
  assert.equal((await dead(server, 'drop')).code, 2);
});

// The journal as an overlay of a file whose base has a queue in memory.
const switchable = (store) => ({
  ...around(store.stage(impatient)),
  optimizations: {
    journal: { ack: 'queued', stages: { queue: { use: 'journal', directory: 'journal', segment_size: '256KiB' } } },
  },
  enable: ['journal'],
});

/** Sluice is killed while the journal has `count` events of a stream that the database does not take. */
async function leaveBacklog(t, store, directory, count) {
  const server = await start(t, switchable(store), { directory });
  const release = await store.lock(t);
  for (let i = 0; i < count; i++)
    assert.equal((await server.post(webhook(`e${i}`, { stream: 'one', sequence: i }))).status, 202);
  await server.stop('SIGKILL');
  return { release, file: server.file };
}

test('ids that wait in the journal are known before the first request', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const { release, file } = await leaveBacklog(t, store, directory, 20);
  const server = await start(t, file, { directory });
  assert.equal((await server.post(webhook('e7', { stream: 'one', sequence: 7 }))).status, 200);
  assert.equal((await server.post(webhook('e7', { stream: 'one', sequence: 8 }))).status, 422);
  assert.equal((await server.post(webhook('new', { stream: 'one' }))).status, 202);
  await release();
  await delivered(server);
  const expected = [...Array.from({ length: 20 }, (_, i) => `e${i}`), 'new'];
  assert.deepEqual(
    (await store.events()).map((row) => row.message_id),
    expected,
  );
});

for (const kind of kinds) {
  test(`with the overlay off, the journal's backlog comes to ${kind} first`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const { release, file } = await leaveBacklog(t, store, directory, 20);
    await release();
    const server = await start(t, file, { directory, env: { ENABLE_OPTIMIZATIONS: 'false' } });
    const stored = (await store.events()).map((row) => row.message_id);
    assert.deepEqual(
      stored,
      Array.from({ length: 20 }, (_, i) => `e${i}`),
    );
    const response = await server.post(webhook('new', { stream: 'one' }));
    assert.equal(JSON.parse(response.text).ack, 'stored');
    assert.equal((await store.events()).length, 21);
    assert.match(server.log, /backlog_delivered/);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
}

// The events of the backlog have a stream in common with the newer ones, which take every place that is free.
test('a backlog beyond memory comes to the store whole, once and in order, before newer events', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const { release } = await leaveBacklog(t, store, directory, 200);
  const server = await start(t, { ...switchable(store), events: { max: 20 } }, { directory });
  const accepted = [];
  const send = async (i) => {
    const { status } = await server.post(webhook(`new${i}`, { stream: 'one', sequence: 200 + i }));
    if (status === 202) accepted.push(`new${i}`);
    else assert.equal(status, 503);
  };
  await send(0);
  await release();
  for (let i = 1; i <= 40; i++) await send(i);
  await delivered(server);
  const old = Array.from({ length: 200 }, (_, i) => `e${i}`);
  assert.deepEqual(
    (await store.events()).map((row) => row.message_id),
    [...old, ...accepted],
  );
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('an overlay that cannot be searched for a backlog is named at the start', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const pipeline = around(store.stage(impatient));
  pipeline.optimizations = { elsewhere: { stages: { queue: { use: './gone.so' } } } };
  const server = await start(t, pipeline, { directory });
  assert.match(server.log, /backlog_not_searched overlay=elsewhere reason=.*gone\.so/);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
