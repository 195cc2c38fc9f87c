// What a transaction costs PostgreSQL in instructions, which do not depend on what else the machine does: the statements are those
// of a running Sluice, taken from the server's log, and a single-user PostgreSQL executes them under callgrind.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { webhook } from '../../tests/integration/support/events.mjs';
import { around, execute, start } from '../../tests/integration/support/sluice.mjs';

const [few, many] = [10, 60]; // transactions; what the start and the end of the server take is in both

/** The text of what is sent for one event, by the beginning of each statement. `ready`: what is waited for before the end. */
export async function record(t, server, { stage, events, options, beginnings, ready }) {
  const log = join(server.directory, 'log');
  const sluice = await start(t, around({ persist: stage, url: server.url, ...options }));
  const { length } = await readFile(log, 'utf8');
  const { status } = await sluice.post(webhook(`${stage}-${events}`, { stream: 's', sequence: 1 }));
  if (status !== 202) throw new Error(`${stage}: status ${status}`);
  await ready?.(server, sluice);
  await sluice.stop();
  const lines = (await readFile(log, 'utf8')).slice(length).split('\n');
  return beginnings.map((beginning) => {
    const found = lines.map((line) => /(?:execute \S+|statement): (.*)$/.exec(line)?.[1]).find((sql) => sql?.startsWith(beginning));
    if (!found) throw new Error(`${stage} sent no ${beginning}`);
    return found;
  });
}

const hash = (text) => `sha256('${text}'::bytea)`;
const small = (i) => `{"index":${i}}`;
const event = (i, j = 0, payload = small) => [`'e${i}-${j}'`, `'type'`, `'s${j}'`, `${i}`, `'${payload(i)}'`, hash(`e${i}-${j}`), `'r${i}'`, 'now()'];
const audit = (i) => [`'writer'`, `${i}`, 'now()'];
const once = (name, types, sql, values) => `PREPARE ${name} (${types}) AS ${sql}; EXECUTE ${name} (${values}); DEALLOCATE ${name}`;

const eventTypes = ['text', 'text', 'text', 'bigint', 'bytea', 'bytea', 'text', 'timestamptz'];
const auditTypes = ['text', 'bigint', 'timestamptz'];

const typesWith = (payload) => eventTypes.map((type, i) => (i === 4 ? payload : type));

/** One event, one transaction: parsed and planned each time. */
export const alone = {
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

/** One statement for a batch, prepared. `taken`: as what the payload is sent. */
export const batch = (size, { payload, taken = 'bytea', ...rest } = {}) => ({
  stage: 'postgres_batch',
  events: size,
  ...rest,
  beginnings: ['WITH stored'],
  prepare: ([sql]) => [
    'SET search_path = public, pg_temp',
    `PREPARE stored (${[...typesWith(taken).map((type) => `${type}[]`), ...auditTypes, 'bytea', 'bytea', 'bigint', 'text']}) AS ${sql}`,
  ],
  transaction: (_, i) => {
    const events = Array.from({ length: size }, (__, j) => event(i, j, payload));
    const columns = typesWith(taken).map((type, k) => `ARRAY[${events.map((each) => each[k])}]::${type}[]`);
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

/** Instructions for a transaction, on the tables that were saved as `before`. */
export async function perTransaction(server, kind, statements) {
  const [less, more] = [await count(server, kind, statements, few), await count(server, kind, statements, many)];
  return (more - less) / (many - few);
}
