// The n-th sync of a file fails, once, for n = 1, 2, …, and then the power. Each n is a life of its own: a new store, a
// server on it and its senders. Large payloads and small checkpoints let a short life sync the database as often as the log.

import { compare, Load } from '../../tests/integration/support/load.mjs';
import { start } from '../../tests/integration/support/sluice.mjs';
import { until } from '../../tests/integration/support/wait.mjs';
import { world } from './forgetful.mjs';
import { scope, seconds, Watch } from './watch.mjs';

const lanes = 4; // lives at a time: most of one is waiting
const longest = 1500; // events of a life whose n-th sync does not come
const certain = 3; // such lives end the sweep: no higher n comes, either
const depths = [1, 1, 1, 4];
const options = { checkpoint_size: '64KiB', wal_limit: '1MiB' };

/** A start may refuse a disk that fails. Then the power is cut, too, and the next start finds a good disk. */
async function begin(t, it) {
  try {
    return { server: await start(t, it.pipeline, it) };
  } catch (error) {
    if ((await it.failedAt()) === undefined) throw error;
    await it.cutPower();
    return { refused: true, server: await start(t, it.pipeline, { ...it, env: it.healthy }) };
  }
}

/** After the sync that failed: health tells it, is good again, and more events come. */
async function recover(watch, load, felt) {
  const begun = watch.begun;
  // Before `ready` there is no health to ask; from then on it has to be good.
  const told = felt > begun ? await until('bad health', () => watch.since(felt, false), { within: 30 }) : undefined;
  const healed = await until('good health', () => watch.since(told ?? begun, true), { within: 60 });
  await load.progress(100, { within: 60 });
  return { told: seconds(felt, told), healed: seconds(felt > begun ? felt : begun, healed) };
}

async function live(t, name, number) {
  const it = await world(t, { faults: { FORGET_FAIL_AT: `${number}`, FORGET_FAIL_NAME: name }, options });
  const { refused = false, server } = await begin(t, it);
  const watch = new Watch(server);
  const load = new Load(t, server.url, { depths, noise: 12000 });
  load.start();
  const isOver = async () => refused || (await it.failedAt()) !== undefined || load.kept >= longest;
  await until('the sync that fails', isOver, { within: 60 });
  const felt = await it.failedAt();
  const times = refused || felt !== undefined ? await recover(watch, load, felt) : {};
  await load.stop();
  await watch.stop();
  await server.stop('SIGKILL');
  const syncs = await it.countSyncs();
  return { ...times, syncs, reached: refused || syncs >= number, ...compare(load, await it.rows({ server })) };
}

async function liveAlone(name, number) {
  const t = scope();
  try {
    return { number, ...(await live(t, name, number)) };
  } catch (error) {
    return { number, reached: true, error };
  } finally {
    await t.finish();
  }
}

async function liveAll(name, numbers) {
  const lives = [];
  const rest = numbers.values();
  const lane = async () => {
    for (const number of rest) {
      if (lives.filter(({ reached }) => !reached).length >= certain) return;
      lives.push(await liveAlone(name, number));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return lives.sort((a, b) => a.number - b.number);
}

/** [1, 2, 3, 5] as 1…3, 5 */
function ranges(numbers) {
  const runs = [];
  for (const number of numbers) {
    if (runs.at(-1)?.to === number - 1) runs.at(-1).to = number;
    else runs.push({ from: number, to: number });
  }
  return runs.map(({ from, to }) => (from === to ? `${from}` : `${from}…${to}`)).join(', ');
}

function describe(lives, numbers) {
  const felt = lives.filter(({ reached }) => reached).map(({ number }) => number);
  const never = numbers.filter((number) => !felt.includes(number));
  const syncs = Math.max(...lives.filter(({ reached }) => !reached).map((life) => life.syncs));
  return [
    `felt: n = ${ranges(felt)}`,
    ...(never.length ? [`not reached: n = ${ranges(never)}; a life has ${syncs} such syncs`] : []),
  ];
}

/** The row of all n: sums, the worst of what has a limit, and which n are not as promised. */
export async function eachSync(name, { full, isGood }) {
  const numbers = full ? Array.from({ length: 200 }, (_, i) => i + 1) : [1, 2, 3, 5, 8, 20, 60, 150];
  const lives = await liveAll(name, numbers);
  const sum = (key) => lives.reduce((total, life) => total + (life[key] ?? 0), 0);
  const most = (key) => Math.max(...lives.map((life) => life[key] ?? 0));
  const sums = ['answered', 'lost', 'doubled', 'altered', 'unknown', 'outOfOrder'].map((key) => [key, sum(key)]);
  const bad = lives.filter((life) => life.error || !isGood(life));
  const complaints = bad.map(({ number, error, ...life }) => `n = ${number}: ${error?.message ?? JSON.stringify(life)}`);
  return {
    ...Object.fromEntries(sums),
    told: most('told'),
    healed: most('healed'),
    failed: bad.length > 0,
    notes: [...describe(lives, numbers), ...complaints],
  };
}
