// Order per stream is the order of acceptance, whatever fails in between and however many workers there are.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { request } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { around, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const eight = { queue: { workers: 8 } };
const names = (stream, count = 20) => Array.from({ length: count }, (_, i) => `${stream}-${i + 1}`);

// Each on a connection of its own, without an answer to the one before; the next goes out when the queue has that one,
// so that the order of acceptance is known. Nothing may get through meanwhile.
async function sendWithoutWaiting(server, events) {
  const responses = [];
  for (const { id, stream } of events) {
    responses.push(request(server.url, { body: webhook(id, { stream }) }));
    await server.atLeast(responses.length, 'webhook_queue_inside', undefined, { within: 5 });
  }
  return responses;
}

const ofStream = (stream) => names(stream).map((id) => ({ id, stream }));
const statusesOf = async (responses) => (await Promise.all(responses)).map((response) => response.status);

test('event 5 of each stream fails once with 6 to 20 in flight: the stored order is the accepted order', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const streams = ['a', 'b', 'c', 'd'];
  const pipeline = around(store.stage({ fail: streams.map((stream) => `${stream}-5`) }), eight);
  const server = await start(t, pipeline, { directory });
  await store.hold();
  const events = names('', 20).flatMap((number) => streams.map((stream) => ({ id: `${stream}${number}`, stream })));
  const responses = await sendWithoutWaiting(server, events);
  await store.release();
  assert.deepEqual([...new Set(await statusesOf(responses))], [202]);
  const kept = await store.kept();
  for (const stream of streams) {
    const own = kept.filter((line) => line.stream === stream);
    assert.deepEqual(
      own.map((line) => line.messageId),
      names(stream),
    );
    assert.equal(own[4].attempt, 2);
  }
});

test('nothing of a stream overtakes an event that is turned away; sent again, all come in their order', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  // It fails for at least 7 s, which is longer than its deadline; the others have 5 s, on a busy machine, too.
  const failing = { fail: ['a-5'], times: 140, retry: { min: '50ms', max: '50ms' } };
  const server = await start(t, around(store.stage(failing), { ...eight, listen: { deadline: '5s' } }), { directory });
  await store.hold();
  const responses = await sendWithoutWaiting(server, [...ofStream('a'), ...ofStream('b')]);
  await store.release();
  const answers = await Promise.all(responses);
  const statuses = answers.map((response) => response.status);
  assert.deepEqual(statuses.slice(0, 20), [202, 202, 202, 202, ...new Array(16).fill(503)]);
  assert.deepEqual(statuses.slice(20), new Array(20).fill(202));
  for (const refusal of answers.slice(4, 20)) assert.match(refusal.headers['retry-after'], /^[1-9]\d*$/);
  assert.deepEqual(
    (await store.ids()).filter((id) => id.startsWith('a')),
    names('a', 4),
  );

  const accept = async (id) => (await server.post(webhook(id, { stream: 'a' }))).status === 202;
  for (const id of names('a').slice(4)) await until(`${id} to be accepted`, () => accept(id), { within: 20 });
  const kept = await store.ids();
  assert.deepEqual(
    kept.filter((id) => id.startsWith('a')),
    names('a'),
  );
  assert.deepEqual(
    kept.filter((id) => id.startsWith('b')),
    names('b'),
  );
});

test('PostgreSQL turns event 5 away once: the stored order is the accepted order', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const server = await start(t, around(store.stage({ retry: { min: '10ms' } }), eight), { directory });
  // A sequence is not rolled back: it remembers that there was a first time.
  await store.query(`
    CREATE SEQUENCE tries;
    CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.message_id = 'a-5' AND nextval('tries') = 1 THEN
        RAISE EXCEPTION 'not now' USING ERRCODE = 'serialization_failure';
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER fail_once BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION fail_once();`);
  const release = await store.lock(t);
  const responses = await sendWithoutWaiting(server, ofStream('a'));
  await release();
  assert.deepEqual([...new Set(await statusesOf(responses))], [202]);
  assert.deepEqual(
    (await store.events()).map((row) => row.message_id),
    names('a'),
  );
  const [{ last_value: tries }] = await store.query('SELECT last_value::int FROM tries');
  assert.equal(tries, 2); // turned away once, and tried again
});

test('SQLite is locked by somebody else for a while: the stored order is the accepted order', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const options = { busy_timeout: '0s', max_batch: 3, retry: { min: '5ms', max: '20ms' } };
  const server = await start(t, around(store.stage(options), eight), { directory });
  const release = await store.lock(t);
  const responses = await sendWithoutWaiting(server, ofStream('a'));
  await server.atLeast(1, 'webhook_retries_total');
  await release();
  assert.deepEqual([...new Set(await statusesOf(responses))], [202]);
  assert.deepEqual(
    (await store.events()).map((row) => row.message_id),
    names('a'),
  );
});
