// One message id from many connections at once.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { around, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';

const senders = 50;

// All at once: the connections stand before the first request goes out.
async function sendAtOnce(url, requests) {
  const connections = await Promise.all(requests.map(() => Connection.open(url)));
  const responses = connections.map((connection, i) => connection.request(requests[i]));
  return async () => {
    const all = await Promise.all(responses);
    connections.forEach((connection) => connection.close());
    return all;
  };
}

function countStatuses(responses) {
  const counts = {};
  for (const { status } of responses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

for (const kind of kinds) {
  test(`of ${senders} senders of one id one gets 202, the others 200, and ${kind} has one row`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const server = await start(t, around(store.stage()), { directory });
    for (let round = 0; round < 10; round++) {
      const body = webhook(`same-${round}`);
      const answers = await sendAtOnce(
        server.url,
        Array.from({ length: senders }, () => ({ body })),
      );
      assert.deepEqual(countStatuses(await answers()), { 200: senders - 1, 202: 1 });
    }
    const rows = await store.events();
    assert.deepEqual(
      rows.map((row) => row.message_id).sort(),
      Array.from({ length: 10 }, (_, i) => `same-${i}`),
    );
  });

  test(`when the first of ${senders} senders of one id fails in ${kind}, another one is stored`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const server = await start(t, around(store.stage({ max_batch: 1 })), { directory });
    await store.refuse('first-*');
    const release = await store.lock(t);
    const body = webhook('contested');
    const first = await sendAtOnce(server.url, [{ body, headers: { 'X-Request-Id': 'first-0' } }]);
    await server.atLeast(1, 'webhook_idempotency_entries', { state: 'in_flight' });
    // The next in line fails, too, now and then.
    const requests = Array.from({ length: senders - 1 }, (_, i) => ({
      body,
      headers: { 'X-Request-Id': `${i % 2 ? 'later' : 'first'}-${i}` },
    }));
    const others = await sendAtOnce(server.url, requests);
    await server.atLeast(senders - 1, 'webhook_idempotency_waiting');
    await release();

    assert.deepEqual(
      (await first()).map((response) => response.status),
      [500],
    );
    const counts = countStatuses(await others());
    assert.equal(counts[202], 1, JSON.stringify(counts));
    assert.equal(counts[200] + counts[202] + (counts[500] ?? 0), senders - 1, JSON.stringify(counts));
    const rows = await store.events();
    assert.equal(rows.length, 1);
    assert.match(rows[0].request_id, /^later-/);
  });

  test(`a different body under the id of an event in flight gets 422 once that is in ${kind}`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const server = await start(t, around(store.stage()), { directory });
    const release = await store.lock(t);
    const first = await sendAtOnce(server.url, [{ body: webhook('one', { payload: '{"n":1}' }) }]);
    await server.atLeast(1, 'webhook_idempotency_entries', { state: 'in_flight' });
    const second = await sendAtOnce(server.url, [{ body: webhook('one', { payload: '{"n":2}' }) }]);
    await server.atLeast(1, 'webhook_idempotency_waiting');
    await release();
    assert.equal((await first())[0].status, 202);
    assert.equal((await second())[0].status, 422);
    const rows = await store.events();
    assert.deepEqual(
      rows.map((row) => Buffer.from(row.payload, 'hex').toString()),
      ['{"n":1}'],
    );
  });

  test(`${kind} alone knows the duplicates of an earlier life`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    for (const expected of [202, 200]) {
      const server = await start(t, around(store.stage()), { directory });
      assert.equal((await server.post(webhook('kept'))).status, expected);
      if (expected === 200) assert.equal((await server.post(webhook('kept', { payload: '{"n":2}' }))).status, 422);
      await server.stop();
    }
    assert.equal((await store.events()).length, 1);
  });
}
