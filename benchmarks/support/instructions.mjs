// What a transaction costs PostgreSQL in instructions, which do not depend on what else the machine does: the statements are those
// of a running Sluice, taken from the server's log, and a single-user PostgreSQL executes them under callgrind.

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { webhook } from '../../tests/integration/support/events.mjs';
import { around, execute, start } from '../../tests/integration/support/sluice.mjs';

const [few, many] = [10, 60]; // transactions; what the start and the end of the server take is in both

/** What is sent: to begin, and to store one event or many, which come while the first is being stored. `ready`: what is waited for
 * before the end. */
export async function record(t, server, { stage, events, options, ready }) {
  const log = join(server.directory, 'log');
  const { length } = await readFile(log, 'utf8');
  const sluice = await start(t, around({ persist: stage, url: server.url, ...options }));
  const wanted = { begin: /^BEGIN ISOLATION/, store: events > 1 ? /^WITH stored .* unnest\(/ : /^WITH stored/ };
  for (let round = 0; round < 20; round++) {
    const ids = Array.from({ length: events }, () => randomUUID());
    const responses = await Promise.all(ids.map((id) => sluice.post(webhook(id, { stream: id, sequence: 1 }))));
    const refused = responses.find(({ status }) => status !== 202);
    if (refused) throw new Error(`${stage}: status ${refused.status}`);
    const lines = (await readFile(log, 'utf8')).slice(length).split('\n');
    const sent = lines.map((line) => /(?:execute \S+|statement): (.*)$/.exec(line)?.[1] ?? '');
    const found = Object.fromEntries(Object.entries(wanted).map(([name, pattern]) => [name, sent.find((sql) => pattern.test(sql))]));
    if (found.begin && found.store) {
      await ready?.(server, sluice);
      await sluice.stop();
      return found;
    }
  }
  throw new Error(`${stage} sent no ${wanted.store}`);
}

const hash = (text) => `sha256('${text}'::bytea)`;
const small = (i) => `{"index":${i}}`;
const event = (i, j = 0, payload = small) => [`'e${i}-${j}'`, `'type'`, `'s${j}'`, `${i}`, `'${payload(i)}'`, hash(`e${i}-${j}`), `'r${i}'`, 'now()'];
const eventTypes = ['text', 'text', 'text', 'bigint', 'bytea', 'bytea', 'text', 'timestamptz'];
const typesWith = (payload) => eventTypes.map((type, i) => (i === 4 ? payload : type));
const auditTypes = ['text', 'bigint', 'timestamptz', 'bytea', 'bytea', 'bigint', 'text'];
const audit = (i) => [`'writer'`, `${i}`, 'now()', hash('a'), `'prefix'`, '0', `'on'`];

/** One event. */
export const alone = { stage: 'postgres', events: 1, types: eventTypes, row: (i) => event(i) };

/** A batch. `taken`: as what the payload is sent. */
export const batch = (size, { payload, taken = 'bytea', ...rest } = {}) => ({
  stage: 'postgres_batch',
  events: size,
  ...rest,
  types: typesWith(taken).map((type) => `${type}[]`),
  row: (i) => {
    const events = Array.from({ length: size }, (_, j) => event(i, j, payload));
    return typesWith(taken).map((type, k) => `ARRAY[${events.map((each) => each[k])}]::${type}[]`);
  },
});

/** The same through a pooler. */
export const pooled = (kind) => ({ ...kind, pooled: true });

/** In a session of Sluice's own: prepared, with the settings of stages/library/postgres/session.c. */
const prepared = {
  prepare: (kind, store) => [
    'SET search_path = public, pg_temp; SET row_security = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off',
    `PREPARE stored (${[...kind.types, ...auditTypes]}) AS ${store}`,
  ],
  transaction: (kind, _, i) => [`EXECUTE stored (${[...kind.row(i), ...audit(i)]})`],
};

/** Parsed and planned each time, between BEGIN with the settings and COMMIT. */
const whole = {
  prepare: () => [],
  transaction: (kind, { begin, store }, i) => [
    begin,
    `PREPARE stored (${[...kind.types, ...auditTypes]}) AS ${store}; EXECUTE stored (${[...kind.row(i), ...audit(i)]}); DEALLOCATE stored`,
    'COMMIT',
  ],
};

/** Instructions of a server that executes so many transactions on the tables as they were. */
async function count(server, kind, statements, transactions) {
  await server.restore('before');
  const { prepare, transaction } = kind.pooled ? whole : prepared;
  const all = Array.from({ length: transactions }, (_, i) => transaction(kind, statements, i + 1)).flat();
  const lines = [...prepare(kind, statements.store), ...all, 'ROLLBACK'];
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
