// kill -9 at random moments under load, one row for each victim and way to store: what was acknowledged, and what of it the
// store has not, has twice, has altered or in another order. The senders send again what was not answered.
//
//   kills.sh [TIMES]    so many kills of each (20); SLUICE_SEED repeats the moments of a run
//
// Exit status: 0 nothing is lost or misplaced, 1 something is.

import { makeDirectory } from '../../tests/integration/support/cleanup.mjs';
import { randomFrom, seed } from '../../tests/integration/support/events.mjs';
import { compare, faults, Load } from '../../tests/integration/support/load.mjs';
import { around, sluice, start } from '../../tests/integration/support/sluice.mjs';
import { openStore } from '../../tests/integration/support/stores.mjs';
import { until } from '../../tests/integration/support/wait.mjs';
import { scope } from '../faults/watch.mjs';

const times = Number(process.argv[2] ?? 20);

// Pauses short enough to be waited for, small segments so that they rotate, and room for what comes during a restart.
const stage = { retry: { min: '10ms', max: '100ms' } };
const stored = { listen: { deadline: '2s' } };
const queued = {
  ack: 'queued',
  events: { max: 200000, max_bytes: '1GiB' },
  queue: { queue: 'journal', directory: 'journal', segment_size: '256KiB' },
};

const killSluice = async (world) => {
  await world.server.stop('SIGKILL');
  await world.begin();
};

const killPostgres = async ({ store }) => {
  await store.server.kill();
  await store.server.restart();
};

const rows = [
  { name: 'Sluice, persist/sqlite', kind: 'sqlite', settings: stored, kill: killSluice },
  { name: 'Sluice, persist/postgres_batch', kind: 'postgres', settings: stored, kill: killSluice },
  { name: 'PostgreSQL, persist/postgres_batch', kind: 'postgres', settings: stored, kill: killPostgres },
  { name: 'Sluice, journal before postgres_batch', kind: 'postgres', settings: queued, kill: killSluice },
  { name: 'PostgreSQL, journal before postgres_batch', kind: 'postgres', settings: queued, kill: killPostgres },
];

async function open(t, { kind, settings }) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, kind, directory, { apart: true });
  const persist = { ...store.stage(stage), persist: kind === 'postgres' ? 'postgres_batch' : kind };
  const world = { store, load: new Load(t, undefined, { seed, depths: Array(50).fill(1) }) };
  world.begin = async () => {
    world.server = await start(t, around(persist, settings), { directory });
    world.load.url = world.server.url;
  };
  await world.begin();
  return world;
}

const isDelivered = async (server) => (await server.metrics()).value('webhook_queue_inside') === 0;

async function measure(t, row) {
  const random = randomFrom(seed);
  const world = await open(t, row);
  const { load, store } = world;
  load.start();
  for (let i = 0; i < times; i++) {
    await load.progress(1 + Math.floor(random() * 3000), { within: 60 });
    await row.kill(world);
  }
  await load.progress(1000, { within: 60 });
  await load.stop();
  await until('the queue to be empty', () => isDelivered(world.server), { within: 120 });
  const result = compare(load, await store.events());
  const audit = await sluice(['audit', 'verify', world.server.file]);
  if (audit.code !== 0) throw new Error(`audit verify: ${audit.stdout}${audit.stderr}`);
  return { ...result, cut: load.cut };
}

const columns = [
  ['acknowledged', (result) => result.answered],
  ['cut off', (result) => result.cut],
  ['lost', (result) => result.lost],
  ['doubled', (result) => result.doubled],
  ['altered', (result) => result.altered],
  ['reordered', (result) => result.outOfOrder],
  ['unknown', (result) => result.unknown],
];
const line = (name, kills, texts) =>
  name.padEnd(42) + String(kills).padStart(6) + columns.map(([title], i) => String(texts[i]).padStart(title.length + 3)).join('');

let good = true;
console.log(line('kill -9 of', 'times', columns.map(([title]) => title)));
for (const row of rows) {
  const t = scope();
  try {
    const result = await measure(t, row);
    console.log(line(row.name, times, columns.map(([, figure]) => figure(result))));
    good &&= faults(result) === 0;
  } finally {
    await t.finish();
  }
}
console.log('cut off: requests without a response, sent again; unknown: stored and never sent. Every audit chain is whole.');
process.exit(good ? 0 : 1);
