// Old events go, by command or regularly, and what is left stays provable.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { writeRun } from './support/run_directory.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const age = {
  sqlite: (days, ids) =>
    `UPDATE webhook_events SET received_at = received_at - ${days} * 86400000000 WHERE message_id IN (${ids})`,
  postgres: (days, ids) =>
    `UPDATE webhook_events SET received_at = received_at - interval '${days} days' WHERE message_id IN (${ids})`,
};

async function fill(t, kind, count, persist = {}) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, kind, directory);
  const server = await start(t, around(store.stage(persist)), { directory });
  const ids = Array.from({ length: count }, (_, i) => `m-${i}`);
  for (const id of ids) assert.equal((await server.post(webhook(id, { stream: 's' }))).status, 202);
  await until('the rows', async () => (await store.events()).length === count);
  const makeOld = (days, some) => store.query(age[kind](days, some.map((id) => `'${id}'`)));
  return { store, server, ids, makeOld };
}

const audit = async (server) => {
  const { code, stdout, stderr } = await sluice(['audit', 'verify', server.file, '--json'], { cwd: server.directory });
  assert.ok(code === 0 || code === 1, stderr);
  return { code, ...JSON.parse(stdout) };
};

for (const kind of kinds) {
  test(`prune removes what is old from ${kind}, beside a running server, and the audit trail stays intact`, async (t) => {
    const { store, server, ids, makeOld } = await fill(t, kind, 10);
    await makeOld(100, ids.slice(0, 4));
    await makeOld(80, ids.slice(4, 6));
    const prune = (...flags) =>
      sluice(['prune', server.file, '--older', '90d', ...flags], { cwd: server.directory });
    const dry = await prune('--dry-run', '--json');
    assert.equal(dry.code, 0, dry.stderr);
    assert.deepEqual([JSON.parse(dry.stdout).old, JSON.parse(dry.stdout).pruned], [4, 0]);
    assert.equal((await store.events()).length, 10);
    const real = await prune();
    assert.equal(real.code, 0, real.stderr);
    assert.match(real.stdout, /Removed 4 of 10 events/);
    assert.match(real.stdout, /Duplicates are known for 90d/);
    const left = (await store.events()).map(({ message_id: id }) => id);
    assert.deepEqual(left, ids.slice(4));
    const result = await audit(server);
    assert.deepEqual([result.code, result.intact, result.events, result.pruned], [0, true, 6, 4]);
    assert.equal((await server.post(webhook('m-5', { stream: 's' }))).status, 200, 'still a duplicate');
    await store.query(`DELETE FROM webhook_events WHERE message_id = 'm-7'`);
    const after = await audit(server);
    assert.deepEqual([after.code, after.violations.missing_event], [1, 1]);
  });

  test(`a server with persist.retention removes what is old from ${kind} by itself`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const first = await start(t, around(store.stage()), { directory });
    for (let i = 0; i < 450; i++) await first.post(webhook(`m-${i}`));
    await first.stop();
    await store.query(
      age[kind](40, Array.from({ length: 430 }, (_, i) => `'m-${i}'`)),
    );
    const server = await start(t, around(store.stage({ retention: '30d' })), { directory });
    await server.atLeast(430, 'webhook_pruned_events_total', {}, { within: 30 });
    assert.equal((await store.events()).length, 20);
    const sent = await Promise.all(Array.from({ length: 20 }, (_, i) => server.post(webhook(`n-${i}`))));
    assert.ok(sent.every(({ status }) => status === 202));
    await server.stop();
    assert.match(server.log, /events_pruned count=430 received_before=/);
    assert.deepEqual((({ intact, pruned }) => [intact, pruned])(await audit(server)), [true, 430]);
  });

  test(`verify tells an event that was removed from ${kind} from a lost one`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const server = await start(t, around(store.stage()), { directory });
    const { stdout } = await sluice(['generate', '--count', 20]);
    const lines = stdout.trimEnd().split('\n');
    const requests = [];
    for (const [line, text] of lines.entries()) {
      const { status } = await server.post(JSON.parse(text).body);
      requests.push({ line, sent: line * 10, answered: line * 10 + 5, status });
    }
    await writeRun(join(directory, 'run'), lines, requests);
    await until('the rows', async () => (await store.events()).length === 20);
    const sent = (await store.events()).map(({ message_id: id }) => id);
    await store.query(age[kind](40, sent.slice(0, 5).map((id) => `'${id}'`)));
    assert.equal((await sluice(['prune', server.file, '--older', '30d'], { cwd: directory })).code, 0);
    const verify = () => sluice(['verify', 'run', server.file, '--json'], { cwd: directory });
    const good = await verify();
    assert.equal(good.code, 0, good.stdout + good.stderr);
    assert.deepEqual((({ stored, pruned, lost }) => [stored, pruned, lost])(JSON.parse(good.stdout)), [15, 5, 0]);
    await store.query(`DELETE FROM webhook_events WHERE message_id = '${sent[10]}'`);
    const bad = await verify();
    assert.equal(bad.code, 1);
    assert.deepEqual((({ pruned, lost }) => [pruned, lost])(JSON.parse(bad.stdout)), [5, 1]);
  });
}

for (const [older, sentence] of [
  [undefined, /--older is required/],
  ['90', /expected a duration such as 90d/],
  ['1h', /expected at least 24h/],
])
  test(`prune --older ${older} is refused`, async (t) => {
    const { server } = await fill(t, 'sqlite', 1);
    const flags = older ? ['--older', older] : [];
    const { code, stderr } = await sluice(['prune', server.file, ...flags], { cwd: server.directory });
    assert.equal(code, 2);
    assert.match(stderr, sentence);
  });

test('persist.retention below a day is refused', async (t) => {
  const { server } = await fill(t, 'sqlite', 1);
  const { code, stderr } = await sluice(['check', server.file, '--set', 'persist.retention=23h'], { cwd: server.directory });
  assert.equal(code, 1);
  assert.match(stderr, /retention: expected at least 24h/);
});

test('check --connect and dead letters remove nothing, whatever the retention', async (t) => {
  const { store, server, ids, makeOld } = await fill(t, 'sqlite', 3);
  await server.stop();
  await makeOld(100, ids);
  const set = ['--set', 'persist.retention=30d'];
  for (const args of [
    ['check', server.file, '--connect', ...set],
    ['dead', 'replay', server.file, ...set],
  ])
    assert.equal((await sluice(args, { cwd: server.directory })).code, 0, args.join(' '));
  assert.equal((await store.events()).length, 3);
});
