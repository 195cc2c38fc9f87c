// kill -9 at random moments under load, of Sluice and of PostgreSQL: whatever got its 2xx is stored, once, in order.
//
// Three rounds each, twenty with SLUICE_LONG=1. SLUICE_SEED repeats the moments of a run.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { randomFrom, seed } from './support/events.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';

const rounds = process.env.SLUICE_LONG ? 20 : 3;
const columns = ['answered', 'stored', 'unanswered', 'lost', 'doubled', 'altered', 'unknown', 'outOfOrder'];

const show = (t, name, result) =>
  t.diagnostic(`${name}: ${columns.map((column) => `${column} ${result[column]}`).join(', ')}`);

async function judge(t, name, load, store, file) {
  const result = compare(load, await store.events());
  show(t, name, result);
  assert.equal(faults(result), 0, `${name}, seed ${seed}: ${JSON.stringify(result)}`);
  const audit = await sluice(['audit', 'verify', file]);
  assert.equal(audit.code, 0, `audit verify, ${name}, seed ${seed}: ${audit.stdout}${audit.stderr}`);
  return result;
}

// Pauses short enough for a test, bounds as in production.
const settings = { listen: { deadline: '2s' } };
const impatient = { retry: { min: '10ms', max: '100ms' } };

for (const kind of kinds) {
  test(`what was answered survives kill -9 of sluice on ${kind}, ${rounds} times`, async (t) => {
    const random = randomFrom(seed);
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const pipeline = around(store.stage(impatient), settings);
    const load = new Load(t, undefined, { seed });
    let result;
    for (let round = 1; round <= rounds; round++) {
      const server = await start(t, pipeline, { directory });
      load.url = server.url;
      if (round === 1) load.start();
      await load.progress(1 + Math.floor(random() * 1500), { within: 30 });
      assert.deepEqual(await server.stop('SIGKILL'), { code: null, signal: 'SIGKILL' });
      if (round === rounds) await load.stop();
      result = await judge(t, `round ${round}`, load, store, server.file);
    }
    assert.ok(load.cut > 0, 'no request was on its way when sluice was killed');
    show(t, `kill -9 of sluice on ${kind}, in total`, result);
  });
}

test(`what was answered survives kill -9 of PostgreSQL, ${rounds} times`, async (t) => {
  const random = randomFrom(seed + 1);
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory, { apart: true });
  const server = await start(t, around(store.stage(impatient), settings), { directory });
  const load = new Load(t, server.url, { seed });
  load.start();
  let result;
  for (let round = 1; round <= rounds; round++) {
    await load.progress(1 + Math.floor(random() * 1500), { within: 30 });
    await store.server.kill();
    await store.server.restart();
    await load.progress(200, { within: 30 });
    await load.stop();
    result = await judge(t, `round ${round}`, load, store, server.file);
    if (round < rounds) load.start();
  }
  show(t, 'kill -9 of PostgreSQL, in total', result);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
