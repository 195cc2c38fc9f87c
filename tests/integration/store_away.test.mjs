// The store goes away under load and comes back.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { patience, until } from './support/wait.mjs';

const deadline = 1000; // ms
const settings = { listen: { deadline: `${deadline}ms` } };
// One request at a time on each connection, so that none waits for another one's answer.
const depths = new Array(8).fill(1);
const impatient = { retry: { min: '10ms', max: '100ms' } };

async function seeOutage(server, load, { away, back }) {
  assert.equal((await server.ask('/api/health')).status, 200);
  load.start();
  await load.progress(200);
  await away();
  await until('refusals', () => load.refusals.length >= 5, { within: 20 });
  const health = await until('bad health', async () => {
    const response = await server.ask('/api/health');
    return response.status === 503 && response;
  });
  const { reasons } = health.json();
  assert.ok(reasons.length > 0 && reasons.every((reason) => reason.length > 10), health.text);
  await back();
  await load.progress(200, { within: 30 });
  await until('good health', async () => (await server.ask('/api/health')).status === 200);
  await load.stop();
  for (const refusal of load.refusals) {
    assert.equal(refusal.status, 503, refusal.text);
    assert.match(refusal.headers['retry-after'], /^[1-9]\d*$/);
    assert.equal(refusal.headers['content-type'], 'application/problem+json');
    assert.ok(refusal.took < deadline + 700 * patience, `a 503 came only after ${refusal.took} ms`);
  }
}

async function judge(t, server, load, store) {
  const result = compare(load, await store.events());
  t.diagnostic(JSON.stringify({ ...result, answers: load.answers }));
  assert.equal(faults(result), 0, JSON.stringify(result));
  const audit = await sluice(['audit', 'verify', server.file]);
  assert.equal(audit.code, 0, audit.stderr);
}

test('PostgreSQL stopped under load: 503 within the deadline, health says why, and it heals by itself', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory, { apart: true });
  const server = await start(t, around(store.stage(impatient), settings), { directory });
  const load = new Load(t, server.url, { depths });
  await seeOutage(server, load, { away: store.server.halt, back: store.server.restart });
  await judge(t, server, load, store);
  assert.ok(!server.log.includes(new URL(store.url).password), 'the password of the database is in the log');
});

test('SQLite locked under load: 503 within the deadline, health says why, and it heals by itself', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage({ ...impatient, busy_timeout: '50ms' }), settings), { directory });
  const load = new Load(t, server.url, { depths });
  let release;
  const away = async () => {
    await load.stop(); // a writer without a pause leaves nobody else a gap to lock
    release = await store.lock(t);
    load.start();
  };
  await seeOutage(server, load, { away, back: () => release() });
  await judge(t, server, load, store);
});
