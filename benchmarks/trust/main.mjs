// Planted truth on real servers: outcomes against it.

import { execute } from '../../tests/integration/support/sluice.mjs';
import { scope } from '../faults/watch.mjs';
import { Laboratory } from './laboratory.mjs';
import { parts } from './parts.mjs';
import { sizes } from './size.mjs';
import { printTable } from './table.mjs';

const names = Object.keys(parts);
const total = names.reduce((sum, name) => sum + parts[name].minutes, 0);
const help = `Usage: ./dev bench trust [PART…] [--short] [--minutes N]

Compares real servers of which the truth is known, and prints a table of outcomes against truth with exact (Clopper–Pearson)
95 % bounds. Without PART: all of them, ${(total / 60).toFixed(1)} hours. Each comparison leaves a file in build/trust, and one that is there is
not made again: what was interrupted goes on where it stopped. Remove build/trust to begin anew. Needs a quiet machine, but for
the part that is disturbed on purpose.

  PART            minutes, on a machine with two cores
${names.map((name) => `  ${name.padEnd(15)} ${String(parts[name].minutes).padStart(3)}   ${parts[name].about}`).join('\n')}
  table             0   prints what there is

  --short         ten minutes for everything, kept in build/trust-short: shows that it works, and finds what is grossly wrong
  --minutes N     begins no comparison after so many minutes

Exit status: 0 every limit is kept, 1 one is not, 2 it could not be done, 11 not everything is done yet.`;

function readArguments(args) {
  const asked = { chosen: [], size: sizes.full, until: Infinity };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--help') asked.help = true;
    else if (args[i] === '--short') asked.size = sizes.short;
    else if (args[i] === '--minutes' && Number(args[i + 1]) > 0) asked.until = Date.now() + 60000 * Number(args[++i]);
    else if (names.includes(args[i]) || args[i] === 'table') asked.chosen.push(args[i]);
    else throw new Error(`there is no part ${args[i]}: expected ${names.join(', ')} or table, --short or --minutes N`);
  }
  if (!asked.chosen.length) asked.chosen = names;
  return asked;
}

const percent = (share) => (share === null || share === undefined ? '?' : `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)}`);

function describe(result) {
  if (result.named) return `a delay of ${result.delay_ms.toFixed(1)} ms in ${result.stage} (${result.store}): ${result.named}`;
  const truth = result.truth === undefined ? '' : `, planted ${percent(result.truth)} %`;
  const what = result.what ? `${result.what} (${result.store}): ` : '';
  return `${what}${result.outcome}, P95 ${percent(result.change)} % [${percent(result.low)}, ${percent(result.high)}]${truth}`;
}

/** Goes on where the part stopped. False: the time is over. */
async function run(lab, name, until) {
  const { items, run: compare } = parts[name];
  const list = items(lab.size);
  const results = await lab.results(name, list.length);
  for (let number = 0; number < list.length; number++) {
    if (results[number]) continue;
    if (Date.now() > until) return false;
    const begun = Date.now();
    results[number] = { commit: lab.commit, ...(await compare(lab, list[number], number, results)) };
    await lab.keep(name, number, results[number]);
    const seconds = ((Date.now() - begun) / 1000).toFixed(0);
    console.error(`${name} ${number + 1} of ${list.length}, ${seconds} s: ${describe(results[number])}`);
  }
  return true;
}

async function main() {
  const asked = readArguments(process.argv.slice(2));
  if (asked.help) {
    console.log(help);
    return 0;
  }
  const t = scope();
  try {
    const lab = new Laboratory(t, asked.size);
    lab.commit = (await execute('git', ['rev-parse', '--short', 'HEAD'])).stdout.trim();
    for (const name of asked.chosen) if (name !== 'table' && !(await run(lab, name, asked.until))) break;
    return await printTable(lab);
  } finally {
    await t.finish();
  }
}

process.exitCode = await main().catch((error) => {
  console.error(`trust: ${error.message}`);
  return 2;
});
