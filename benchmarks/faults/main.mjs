// Faults under load, one row each: what was acknowledged and is not in the store, or not where it belongs; after how
// long health says what is wrong; and after how long it is good again once the cause has ended.
//
//   faults.sh [WORD…] [--full]    only the rows whose name contains one of the words; --full: every sync up to the 200th
//
// Exit status: 0 all rows are as promised, 1 one is not.

import { compare, Load } from '../../tests/integration/support/load.mjs';
import { start } from '../../tests/integration/support/sluice.mjs';
import { until } from '../../tests/integration/support/wait.mjs';
import { postgresFaults } from './postgres.mjs';
import { sqliteFaults } from './sqlite.mjs';
import { scope, seconds, Watch } from './watch.mjs';

const told = { limit: 2, title: 'told after' };
const healed = { limit: 5, title: 'healed after' };
const losses = ['lost', 'doubled', 'altered', 'unknown', 'outOfOrder'];

/** One fault on one world: { pipeline, directory, env, cause, undo, rows }. A cause may yield when it was first felt. */
async function suffer(t, fault) {
  const world = await fault.prepare(t);
  const server = await start(t, world.pipeline, world);
  const load = new Load(t, server.url);
  const watch = new Watch(server);
  const begun = performance.now();
  load.start();
  await load.progress(500, { within: 60 });
  const rate = Math.round((load.kept * 1000) / (performance.now() - begun));

  const before = performance.now();
  const felt = await world.cause({ server, load });
  const caused = typeof felt === 'number' ? felt : before;
  if (fault.tells) await until('bad health', () => watch.since(caused, false), { within: 30 });
  else await load.progress(500, { within: 60 });
  if (fault.stops) await until('refusals', () => load.refusals.length > 0, { within: 30 });
  await world.undo?.({ server, load });
  const ended = performance.now();
  await until('good health', () => watch.since(ended, true), { within: 60 });
  await load.progress(500, { within: 60 });
  await load.stop();
  await watch.stop();
  const result = compare(load, await world.rows({ server, load }));
  return {
    ...result,
    rate,
    reason: watch.reasons?.[0],
    told: fault.tells ? seconds(caused, watch.since(caused, false)) : undefined,
    healed: seconds(ended, watch.since(ended, true)),
  };
}

const figure = (value, { limit }) => (value === undefined ? '–' : `${value.toFixed(1)} s${value > limit ? ' !' : ''}`);

function isGood(result) {
  const late = [
    [result.told, told],
    [result.healed, healed],
  ].some(([value, { limit }]) => value > limit);
  return !late && !result.failed && losses.every((name) => result[name] === 0);
}

const columns = [
  ['fault', 66, (name) => name],
  ['events/s', 9, (_, { rate }) => `${rate ?? '–'}`],
  ['acknowledged', 13, (_, { answered }) => `${answered}`],
  ['lost', 6, (_, { lost }) => `${lost}`],
  ['misplaced', 10, (_, { doubled, altered, unknown, outOfOrder }) => `${doubled + altered + unknown + outOfOrder}`],
  [told.title, 11, (_, result) => figure(result.told, told)],
  [healed.title, 13, (_, result) => figure(result.healed, healed)],
  ['', 4, (_, result) => (isGood(result) ? 'ok' : 'NO')],
];

const line = (texts) => columns.map(([, width], i) => (i ? texts[i].padStart(width) : texts[i].padEnd(width))).join(' ');

async function run(fault) {
  const t = scope();
  try {
    const result = await (fault.measure ?? ((scope) => suffer(scope, fault)))(t, isGood);
    console.log(line(columns.map(([, , text]) => text(fault.name, result))));
    for (const note of result.notes ?? []) console.log(`    ${note}`);
    if (result.reason && process.env.VERBOSE) console.log(`    ${result.reason}`);
    return isGood(result);
  } catch (error) {
    console.log(`${fault.name.padEnd(66)} NO: ${error.message}`);
    return false;
  } finally {
    await t.finish();
  }
}

const args = process.argv.slice(2);
const words = args.filter((arg) => !arg.startsWith('--'));
const faults = [...sqliteFaults({ full: args.includes('--full') }), ...postgresFaults];
const chosen = faults.filter(({ name }) => !words.length || words.some((word) => name.includes(word)));
if (!chosen.length) {
  console.error(`no fault has such a name; there are:\n${faults.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exit(2);
}
console.log(line(columns.map(([title]) => title)));
let good = true;
for (const fault of chosen) good = (await run(fault)) && good;
console.log(`promised: nothing lost or misplaced, told within ${told.limit} s, healed within ${healed.limit} s of the cause's end`);
process.exit(good ? 0 : 1);
