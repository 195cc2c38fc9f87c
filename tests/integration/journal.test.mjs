// A queue that answers from the disk: what got its 2xx comes to the store, whoever dies, once and in order.
//
// Three rounds, twenty with SLUICE_LONG=1. SLUICE_SEED repeats the moments of a run.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { randomFrom, seed } from './support/events.mjs';
import { compare, faults, Load } from './support/load.mjs';
import { around, start } from './support/sluice.mjs';
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
