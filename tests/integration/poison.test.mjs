// What a database refuses fails alone.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { request } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const count = 12;
const poisoned = 6;

// All wait behind a lock, so that they meet in a batch where the store makes batches. One worker, one after another.
async function sendTogether(t, store, server, makeRequest) {
  const release = await store.lock(t);
  const responses = [];
  for (let i = 0; i < count; i++) responses.push(request(server.url, makeRequest(i)));
  await server.atLeast(count, 'webhook_queue_inside');
  await release();
  return Promise.all(responses);
}

async function judge(store, server, responses, status) {
  const statuses = responses.map((response) => response.status);
  const expected = Array.from({ length: count }, (_, i) => (i === poisoned ? status : 202));
  assert.deepEqual(statuses, expected, responses[poisoned].text);
  assert.equal(responses[poisoned].headers['content-type'], 'application/problem+json');
  const ids = (await store.events()).map((row) => row.message_id).sort();
  assert.deepEqual(
    ids,
    Array.from({ length: count }, (_, i) => `e${i}`)
      .filter((id) => id !== `e${poisoned}`)
      .sort(),
  );
  assert.equal((await server.post(webhook('afterwards'))).status, 202);
  const audit = await sluice(['audit', 'verify', server.file]);
  assert.equal(audit.code, 0, audit.stderr);
}

for (const kind of kinds) {
  test(`an event that a constraint of ${kind} refuses fails alone, the others of its batch are stored`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const server = await start(t, around(store.stage(), { queue: { workers: 1 } }), { directory });
    await store.refuse('poison');
    const responses = await sendTogether(t, store, server, (i) => ({
      body: webhook(`e${i}`),
      headers: { 'X-Request-Id': i === poisoned ? 'poison' : `fine-${i}` },
    }));
    await judge(store, server, responses, 500);
  });
}

for (const kind of kinds) {
  test(`a few events that ${kind} refuses leave health alone, all of them turn it bad until one is stored`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const server = await start(t, around(store.stage()), { directory });
    const health = () => server.ask('/api/health');
    let sent = 0;
    const send = async (requestId) => (await server.post(webhook(`h${sent++}`), { 'X-Request-Id': requestId })).status;
    await store.refuse('poison');
    for (let i = 0; i < 5; i++) assert.equal(await send('poison'), 500);
    assert.equal((await health()).status, 200);
    const bad = await until('bad health', async () => {
      assert.equal(await send('poison'), 500);
      const response = await health();
      return response.status === 503 && response;
    });
    assert.match(bad.json().reasons.join(), /every event is refused: .*refuse/);
    assert.ok(sent >= 20);
    assert.equal(await send('fine'), 202);
    assert.equal((await health()).status, 200);
    assert.equal(await send('poison'), 500);
    assert.equal((await health()).status, 200);
  });
}

test('a payload with \\u0000 that jsonb refuses fails alone', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const pipeline = around(store.stage({ payload_type: 'jsonb' }), { queue: { workers: 1 } });
  const server = await start(t, pipeline, { directory });
  const responses = await sendTogether(t, store, server, (i) => ({
    body: webhook(`e${i}`, { payload: i === poisoned ? '{"text":"a\\u0000b"}' : `{"n":${i}}` }),
  }));
  await judge(store, server, responses, 500);
});
