// Each transaction asks whether its tables have triggers or rules that are not ours (stages/library/postgres/standing.h). The
// question is a column of a statement that is sent anyway, so it costs no round trip; what it costs the server is counted here: the
// statements are those of a running Sluice, taken from the server's log, and a single-user PostgreSQL executes them under
// callgrind as they are and without the question. Instructions do not depend on what else the machine does.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { webhook } from '../../tests/integration/support/events.mjs';
import { startPostgres } from '../../tests/integration/support/postgres.mjs';
import { around, execute, start } from '../../tests/integration/support/sluice.mjs';
import { scope } from '../faults/watch.mjs';

const question = /\(SELECT bit_or\(.*?'webhook_audit_trail_append_only'\)\)\)/;
const [few, many] = [10, 60]; // transactions; what the start and the end of the server take is in both

/** The text of what is sent for one event, by the beginning of each statement. */
async function record(t, server, { stage, events, beginnings }) {
  const log = join(server.directory, 'log');
  const sluice = await start(t, around({ persist: stage, url: server.url }));
  const { length } = await readFile(log, 'utf8');
  const { status } = await sluice.post(webhook(`${stage}-${events}`, { stream: 's', sequence: 1 }));
  if (status !== 202) throw new Error(`${stage}: status ${status}`);
  await sluice.stop();
  const lines = (await readFile(log, 'utf8')).slice(length).split('\n');
  return beginnings.map((beginning) => {
    const found = lines.map((line) => /(?:execute \S+|statement): (.*)$/.exec(line)?.[1]).find((sql) => sql?.startsWith(beginning));
    if (!found) throw new Error(`${stage} sent no ${beginning}`);
    return found;
  });
}

const hash = (text) => `sha256('${text}'::bytea)`;
const event = (i, j = 0) => [`'e${i}-${j}'`, `'type'`, `'s${j}'`, `${i}`, `'{"index":${i}}'`, hash(`e${i}-${j}`), `'r${i}'`, 'now()'];
const audit = (i) => [`'writer'`, `${i}`, 'now()'];
const once = (name, types, sql, values) => `PREPARE ${name} (${types}) AS ${sql}; EXECUTE ${name} (${values}); DEALLOCATE ${name}`;

const eventTypes = ['text', 'text', 'text', 'bigint', 'bytea', 'bytea', 'text', 'timestamptz'];
const auditTypes = ['text', 'bigint', 'timestamptz'];

/** One event, one transaction: parsed and planned each time. */
const alone = {
  stage: 'postgres',
  events: 1,
  beginnings: ['BEGIN', 'INSERT INTO webhook_events', 'INSERT INTO webhook_audit_trail'],
  prepare: () => [],
  transaction: ([begin, insert, cover], i) => [
    begin,
    once('one', eventTypes, insert, event(i)),
    once('two', [...auditTypes, 'bytea', 'bytea', 'bytea', 'bigint'], cover, [...audit(i), `'x'`, hash('a'), hash(`${i}`), `'webhook_events'::regclass::oid`]),
    'COMMIT',
  ],
};

/** One statement for a batch, prepared. */
const batch = (size) => ({
  stage: 'postgres_batch',
  events: size,
  beginnings: ['WITH stored'],
  prepare: ([sql]) => [
    'SET search_path = public, pg_temp',
    `PREPARE stored (${[...eventTypes.map((type) => `${type}[]`), ...auditTypes, 'bytea', 'bytea', 'bigint', 'text']}) AS ${sql}`,
  ],
  transaction: (_, i) => {
    const events = Array.from({ length: size }, (__, j) => event(i, j));
    const columns = eventTypes.map((type, k) => `ARRAY[${events.map((each) => each[k])}]::${type}[]`);
    return [`EXECUTE stored (${[...columns, ...audit(i), hash('a'), `'prefix'`, '0', `'on'`]})`];
  },
});

/** Instructions of a server that executes so many transactions on the tables as they were. */
async function count(server, { prepare, transaction }, statements, transactions) {
  await server.restore('before');
  const lines = [...prepare(statements), ...Array.from({ length: transactions }, (_, i) => transaction(statements, i + 1)).flat(), 'ROLLBACK'];
  const out = join(server.directory, 'callgrind');
  const [binary] = (await execute('sh', ['-c', 'ls /usr/lib/postgresql/*/bin/postgres | tail -1'])).stdout.split('\n');
  const valgrind = ['valgrind', '--tool=callgrind', `--callgrind-out-file=${out}`, binary, '--single', '-D', join(server.directory, 'data'), 'sluice'];
  const asServer = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', ...valgrind];
  const [program, ...args] = process.getuid() === 0 ? asServer : valgrind;
  const { code, stderr } = await execute(program, args, { input: `${lines.join('\n')}\n`, seconds: 300, cwd: '/' });
  if (code !== 0 || stderr.includes('ERROR:')) throw new Error(`postgres --single: ${/ERROR:.*/.exec(stderr) ?? stderr.slice(-500)}`);
  return Number(/^(?:summary|totals): (\d+)/m.exec(await readFile(out, 'utf8'))[1]);
}

function withoutQuestion(statements) {
  const without = statements.map((sql) => sql.replace(question, '0'));
  if (statements.every((sql, i) => sql === without[i])) throw new Error('no statement has the question');
  return without;
}

async function perTransaction(server, kind, statements) {
  const [less, more] = [await count(server, kind, statements, few), await count(server, kind, statements, many)];
  return (more - less) / (many - few);
}

const t = scope();
try {
  const server = await startPostgres(t, 'log_statement=all');
  const kinds = [alone, batch(1), batch(25)];
  const texts = [];
  for (const kind of kinds) texts.push(await record(t, server, kind));
  await server.halt();
  await server.save('before');
  console.log('instructions of PostgreSQL for a transaction              with the question   without   ratio');
  for (const [i, kind] of kinds.entries()) {
    const counts = [];
    for (const statements of [texts[i], withoutQuestion(texts[i])]) {
      counts.push(await perTransaction(server, kind, statements));
    }
    const [asked, not] = counts.map((count) => Math.round(count));
    const name = `persist/${kind.stage}, ${kind.events} event${kind.events > 1 ? 's' : ''}`;
    console.log(`${name.padEnd(56)} ${String(asked).padStart(18)} ${String(not).padStart(9)} ${(asked / not).toFixed(3).padStart(7)}`);
  }
} finally {
  await t.finish();
}
