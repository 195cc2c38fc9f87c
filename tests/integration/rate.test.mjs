// A rate for each sender: who exceeds it gets 429, and nobody else does.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { around, sluice, start, writePipeline } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const rate = { requests: 5, per: '1h' };

async function startLimited(t, listen, stages = {}) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage(), { ...stages, listen }), { directory });
  return { server, store };
}

let next = 0;
const send = (server, headers, options) => server.post(webhook(`m-${next++}`, options), headers);

// So many responses of each status.
async function sendMany(server, count, headers, options) {
  const statuses = {};
  for (let i = 0; i < count; i++) {
    const { status } = await send(server, headers, options);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return statuses;
}

test('a client that is too loud gets 429 with Retry-After, and the others go on', async (t) => {
  const { server, store } = await startLimited(t, { rate, trusted_proxies: ['127.0.0.1'] });
  const loud = { 'X-Forwarded-For': '203.0.113.7' };
  assert.deepEqual(await sendMany(server, 12, loud), { 202: 5, 429: 7 });
  assert.deepEqual(await sendMany(server, 5, { 'X-Forwarded-For': '203.0.113.8' }), { 202: 5 });
  assert.deepEqual(await sendMany(server, 5, { 'X-Forwarded-For': '2001:db8::1' }), { 202: 5 });
  assert.deepEqual(await sendMany(server, 1, { 'X-Forwarded-For': '2001:db8::2' }), { 429: 1 }, 'a /64 is one sender');
  const response = await send(server, loud);
  assert.equal(response.status, 429);
  const seconds = Number(response.headers['retry-after']);
  assert.ok(seconds > 600 && seconds <= 720, `Retry-After: ${seconds}`);
  assert.match(response.json().detail, /too many requests from this client/);
  await until('the rows', async () => (await store.events()).length === 15);
  await server.counts('webhook_refusals_total', 'reason', { rate_limited: 9 });
  assert.match(server.log, /request_refused .*client=203\.0\.113\.7 .*status=429 kind=rate_limited/);
});

test('a client cannot choose another limit with a header of its own', async (t) => {
  const { server } = await startLimited(t, { rate });
  const statuses = {};
  for (let i = 0; i < 8; i++) {
    const { status } = await send(server, { 'X-Forwarded-For': `203.0.113.${i}` });
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  assert.deepEqual(statuses, { 202: 5, 429: 3 });
});

test('a stream that is too loud gets 429, and the others go on in order', async (t) => {
  const { server, store } = await startLimited(t, { rate: { ...rate, by: 'stream' } });
  assert.deepEqual(await sendMany(server, 9, {}, { stream: 'loud' }), { 202: 5, 429: 4 });
  assert.deepEqual(await sendMany(server, 5, {}, { stream: 'other' }), { 202: 5 });
  assert.deepEqual(await sendMany(server, 6), { 202: 5, 429: 1 }, 'those of no stream share a limit');
  const refused = await send(server, {}, { stream: 'loud' });
  assert.ok(Number(refused.headers['retry-after']) > 600);
  assert.match(refused.json().detail, /too many requests from this stream/);
  const ids = (await store.events()).filter(({ stream }) => stream === 'other').map(({ message_id: id }) => id);
  assert.deepEqual(ids, [...ids].sort((a, b) => Number(a.slice(2)) - Number(b.slice(2))));
});

test('a credential that is too loud gets 429, and the others go on', async (t) => {
  const auth = { auth: 'token', tokens: ['one-secret-token', 'two-secret-token'] };
  const { server } = await startLimited(t, { rate: { ...rate, by: 'credential' } }, { auth });
  assert.deepEqual(await sendMany(server, 7, { Authorization: 'Bearer one-secret-token' }), { 202: 5, 429: 2 });
  assert.deepEqual(await sendMany(server, 5, { Authorization: 'Bearer two-secret-token' }), { 202: 5 });
  assert.deepEqual(await sendMany(server, 3, { Authorization: 'Bearer wrong' }), { 401: 3 }, 'refused before');
});

test('a reload changes the rate, and nobody starts afresh', async (t) => {
  const { server } = await startLimited(t, { rate: { requests: 5, per: '1h' } });
  assert.deepEqual(await sendMany(server, 6), { 202: 5, 429: 1 });
  const pipeline = around({ persist: 'sqlite', path: 'sluice.db' }, { listen: { rate: { requests: 1000, per: '1s' } } });
  await writePipeline(server.directory, pipeline);
  assert.equal((await sluice(['reload', '--admin', server.admin])).code, 0);
  await until('a response of 202', async () => (await send(server)).status === 202, { within: 20 });
});

for (const [by, lacking] of [
  ['stream', 'parse'],
  ['credential', 'auth'],
])
  test(`check refuses a rate by ${by} without a stage that tells it`, async (t) => {
    const directory = await makeDirectory(t);
    const pipeline = around({ persist: 'sqlite' }, { listen: { rate: { ...rate, by } } });
    pipeline.stages = pipeline.stages.filter((stage) => !(lacking in stage));
    const { code, stderr } = await sluice(['check', await writePipeline(directory, pipeline)]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`listen.rate.by: ${by} requires the stage ${lacking}`));
  });

test('check warns of a limit that all senders behind a proxy would share', async (t) => {
  const directory = await makeDirectory(t);
  const file = await writePipeline(directory, around({ persist: 'sqlite' }, { listen: { rate } }));
  const { stdout, stderr } = await sluice(['check', file], { cwd: directory });
  assert.match(stdout + stderr, /listen\.rate: all senders behind a proxy count as one client/);
});
