// Stopping: what is in flight is finished, and nothing that was answered is lost.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection, request } from './support/client.mjs';
import { randomFrom, seed, webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';
import { patience, until, within } from './support/wait.mjs';

const rounds = process.env.SLUICE_LONG ? 50 : 5;

for (const kind of kinds) {
  test(`SIGTERM under load, ${rounds} times: exit 0, and every 2xx is in ${kind}`, async (t) => {
    const random = randomFrom(seed);
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const load = new Load(t, undefined, { seed });
    for (let round = 0; round < rounds; round++) {
      const server = await start(t, around(store.stage()), { directory });
      load.url = server.url;
      if (round === 0) load.start();
      await load.progress(1 + Math.floor(random() * 400));
      assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null }, server.log.slice(-2000));
      if (round === rounds - 1) await load.stop();
      const result = compare(load, await store.events());
      t.diagnostic(JSON.stringify(result));
      assert.equal(faults(result), 0, `seed ${seed}: ${JSON.stringify(result)}`);
      const audit = await sluice(['audit', 'verify', server.file]);
      assert.equal(audit.code, 0, audit.stderr);
    }
    for (const refusal of load.refusals) assert.equal(refusal.status, 503, refusal.text);
  });
}

async function startHeld(t, listen) {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const server = await start(t, around(store.stage(), { listen }), { directory });
  await store.hold();
  const responses = Array.from({ length: 5 }, (_, i) => request(server.url, { body: webhook(`held-${i}`) }));
  await server.atLeast(5, 'webhook_queue_inside');
  return { store, server, responses };
}

const refusesConnections = async (url) => {
  try {
    (await Connection.open(url)).close();
    return false;
  } catch {
    return true;
  }
};

test('SIGTERM stops accepting, waits for what is in flight and answers it', async (t) => {
  const { store, server, responses } = await startHeld(t, { drain: '20s' });
  const idle = await Connection.open(server.url);
  server.signal('SIGTERM');
  await until('new connections to be refused', () => refusesConnections(server.url));
  await within(5, 'the idle connection to be closed', idle.closed);
  assert.equal(server.end, undefined, 'it did not wait for what is in flight');
  await store.release();
  for (const response of await Promise.all(responses)) assert.equal(response.status, 202);
  assert.deepEqual(await server.stop('SIGCONT'), { code: 0, signal: null });
  assert.equal((await store.ids()).length, 5);
});

test('the drain has a deadline: what is not stored by then gets 503, and the process ends', async (t) => {
  const { store, server, responses } = await startHeld(t, { drain: '500ms', deadline: '30s' });
  const begun = performance.now();
  server.signal('SIGTERM');
  for (const response of await Promise.all(responses)) {
    assert.equal(response.status, 503);
    assert.ok(Number(response.headers['retry-after']) >= 1);
  }
  await within(10, 'the end of sluice', server.exited);
  const took = performance.now() - begun;
  assert.ok(took >= 450, `it ended after ${took} ms already`);
  assert.ok(took < 5000 * patience, `it ended only after ${took} ms`);
  assert.deepEqual(server.end, { code: 0, signal: null });
  assert.deepEqual(await store.ids(), []);
});

test('a second SIGINT ends it at once', async (t) => {
  const { server, responses } = await startHeld(t, { drain: '30s', deadline: '30s' });
  responses.forEach((response) => response.catch(() => {}));
  server.signal('SIGINT');
  await until('new connections to be refused', () => refusesConnections(server.url));
  assert.equal(server.end, undefined);
  const begun = performance.now();
  const end = await server.stop('SIGINT', 5);
  assert.ok(performance.now() - begun < 1000 * patience);
  assert.notDeepEqual(end, { code: 0, signal: null }, 'what is in flight was thrown away, which is no success');
});

test('a log that nobody reads stops neither the service nor its end', async (t) => {
  const server = await start(t, around({ persist: 'sqlite', path: 't.db' }), { env: { ENABLE_LATENCY_PROFILING: 'true' } });
  server.child.stderr.pause();
  const id = 'x'.repeat(200); // in every line of the profile: 1,200 of them are more than any pipe holds
  const send = async (worker) => {
    for (let i = 0; i < 120; i++) {
      const { status } = await server.post(`{"messageId":"${id}-${worker}-${i}","eventType":"t","payload":1}`);
      assert.equal(status, 202);
    }
  };
  await within(60, 'the responses', Promise.all([...Array(10).keys()].map(send)));
  assert.equal((await server.ask('/api/health')).status, 200);
  assert.ok((await server.metrics()).value('webhook_log_lines_dropped_total') >= 0);
  const ended = new Promise((done) => server.child.once('exit', (code, signal) => done({ code, signal })));
  server.signal('SIGTERM');
  assert.deepEqual(await within(20, 'the end of sluice', ended), { code: 0, signal: null });
  server.child.stderr.resume();
});
