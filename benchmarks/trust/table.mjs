// Outcomes against truth, with exact bounds, and whether each limit is kept.

import { calculate } from './laboratory.mjs';
import { parts } from './parts.mjs';

const outcomes = ['better', 'equivalent', 'worse', 'inconclusive', 'invalid'];
const isCalled = ({ outcome }) => outcome === 'better' || outcome === 'worse';
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const signed = (share) => `${share >= 0 ? '+' : '−'}${percent(Math.abs(share))}`;

const countOf = (results) => Object.fromEntries(outcomes.map((name) => [name, results.filter(({ outcome }) => outcome === name).length]));

/** Comparisons made of recorded lives. Which side is favoured is asked of the lives together: draws from them share their chance. */
async function drawn(lab, part, title) {
  const { comparisons, pairs, limit } = lab.size.draws;
  const results = await lab.results(part, lab.size.lives);
  const valid = results.filter((result) => result && result.outcome !== 'invalid');
  const row = { title, truth: 'the same', planned: results.length, done: results.filter(Boolean).length, limit };
  if (row.done < row.planned) return row;
  const lines = valid.map(({ p95: [a, b] }) => a.map((value, pair) => Math.log(b[pair] / value)).join(' '));
  const said = await calculate(['draw', comparisons, pairs, 0.05, 0.05, 1], `${lines.join('\n')}\n`);
  const notes = [
    `${valid.length} of ${results.length} lives were valid; over all of them B's P95 is ${signed(said.mean)} [${signed(said.low)}, ${signed(said.high)}] of A's (99 %)`,
  ];
  const isFair = said.low <= 0 && said.high >= 0;
  if (!isFair) notes.push('one side is favoured');
  return { ...row, done: comparisons, planned: comparisons, counts: said, wrong: said.better + said.worse, failed: limit !== undefined && !isFair, notes };
}

/** The comparisons of a part as they are. */
async function counted(lab, part, row) {
  const { items } = parts[part];
  const all = (await lab.results(part, items(lab.size).length)).filter((_, i) => row.only?.(items(lab.size)[i]) ?? true);
  const results = all.filter(Boolean);
  const wrong = results.filter(row.isWrong).length;
  const longest = Math.max(0, ...results.map(({ seconds }) => seconds ?? 0));
  const failed = longest > (row.seconds ?? Infinity);
  return { ...row, planned: all.length, done: results.length, counts: countOf(results), wrong, failed, notes: notesOf(row, results, longest) };
}

function notesOf({ seconds }, results, longest) {
  const notes = [];
  const truths = results.map(({ truth }) => truth).filter((truth) => truth !== undefined);
  if (truths.length) notes.push(`planted, as a share of the P95 that was then measured: ${signed(Math.min(...truths))} to ${signed(Math.max(...truths))}`);
  if (seconds && results.length) notes.push(`the longest took ${longest.toFixed(0)} s, at most ${seconds} are allowed`);
  for (const { stage, named } of results) if (stage && stage !== named) notes.push(`a delay in ${stage} was taken for one in ${named}`);
  return notes;
}

/** Exactly this was found in B, and nothing in A. */
const missesDamage = ({ outcome, what, violations: [a, b] }) =>
  outcome !== 'worse' || Object.values(a).some(Boolean) || Object.entries(b).some(([kind, count]) => count !== (kind === what ? 1 : 0));

async function rowsOf(lab) {
  const { same, disturbed, large, small, stages, events } = lab.size;
  return Promise.all([
    drawn(lab, 'lives-sqlite', 'drawn from lives, SQLite'),
    drawn(lab, 'lives-postgres', 'drawn from lives, PostgreSQL'),
    counted(lab, 'same', { title: 'a pipeline with itself', truth: 'the same', isWrong: isCalled, ...same }),
    counted(lab, 'disturbed', { title: 'the same, disturbed', truth: 'the same', isWrong: isCalled, ...disturbed }),
    counted(lab, 'plus-10', { title: `P95 + ${large.percent} %`, truth: 'worse', isWrong: ({ outcome }) => outcome !== 'worse', ...large }),
    counted(lab, 'minus-10', { title: `P95 − ${large.percent} %`, truth: 'better', isWrong: ({ outcome }) => outcome !== 'better', ...large }),
    counted(lab, 'plus-2', { title: `P95 + ${small.percent} %`, truth: 'no matter', isWrong: isCalled, ...small }),
    counted(lab, 'stages', { title: 'a delay in one stage', truth: 'that stage', isWrong: ({ stage, named }) => stage !== named, ...stages }),
    ...['lost', 'doubled', 'reordered'].map((kind) =>
      counted(lab, 'events', { title: `an event ${kind}`, truth: 'worse', only: ({ what }) => what === kind, isWrong: missesDamage, ...events }),
    ),
  ]);
}

const columns = [
  ['comparisons of', 28],
  ['truth', 10],
  ['done', 10],
  ['better', 7],
  ['equival.', 9],
  ['worse', 6],
  ['inconcl.', 9],
  ['invalid', 8],
  ['wrong', 6],
  ['exact 95 %', 18],
  ['limit', 6],
  ['', 6],
];
const line = (texts) => texts.map((text, i) => (i < 2 ? String(text).padEnd(columns[i][1]) : String(text).padStart(columns[i][1]))).join(' ').trimEnd();

const isDone = ({ done, planned }) => done === planned;
const isKept = (row) => !row.failed && (row.limit === undefined || row.wrong <= row.limit);

function wordOf(row) {
  if (!isDone(row)) return '…';
  if (row.limit === undefined && !row.failed) return '–';
  return isKept(row) ? 'ok' : 'NO';
}

async function print(row) {
  const { title, truth, done, planned, counts, wrong, limit } = row;
  const share = counts && done ? await calculate(['share', wrong, done]) : undefined;
  const bounds = share ? `${percent(share.low)} – ${percent(share.high)}` : '';
  const words = outcomes.map((name) => (counts && row.title !== 'a delay in one stage' ? counts[name] : ''));
  console.log(line([title, truth, isDone(row) ? done : `${done} of ${planned}`, ...words, wrong ?? '', bounds, limit === undefined ? '' : `≤ ${limit}`, wordOf(row)]));
  for (const note of row.notes ?? []) console.log(`    ${note}`);
}

/** Prints it; the exit status: 0 every limit is kept, 1 one is not, 11 not all is done yet. */
export async function printTable(lab) {
  const rows = await rowsOf(lab);
  console.log(line(columns.map(([title]) => title)));
  for (const row of rows) await print(row);
  if (rows.some((row) => isDone(row) && !isKept(row))) return 1;
  return rows.every(isDone) ? 0 : 11;
}
