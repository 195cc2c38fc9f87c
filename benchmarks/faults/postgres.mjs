// What goes wrong with PostgreSQL.

import { spawn } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { cleanup, makeDirectory } from '../../tests/integration/support/cleanup.mjs';
import { Load, compare } from '../../tests/integration/support/load.mjs';
import { startPostgres, startStandby } from '../../tests/integration/support/postgres.mjs';
import { around, start } from '../../tests/integration/support/sluice.mjs';
import { Postgres } from '../../tests/integration/support/stores.mjs';
import { pause, until } from '../../tests/integration/support/wait.mjs';

const impatient = () => ({ persist: use, retry: { min: '10ms', max: '100ms' } });
const settings = { listen: { deadline: '2s' } };

/** The stage that the fault is about, one at a time. */
let use = 'postgres';

/** A server, Sluice on it, and what reads it. */
async function world(t, ...postgresSettings) {
  const server = await startPostgres(t, ...postgresSettings);
  const store = new Postgres(server, server.url);
  return {
    server,
    store,
    directory: await makeDirectory(t),
    pipeline: around(store.stage(impatient()), settings),
    rows: () => store.events(),
  };
}

/** A setting that is read from the file while the server runs. */
const setting = (name, value, other) => async (t) => {
  const it = await world(t);
  return { ...it, cause: () => it.server.reload(`${name}=${value}`), undo: () => it.server.reload(`${name}=${other}`) };
};

const alter = (sql, back) => async (t) => {
  const it = await world(t);
  const say = (text) => it.store.query(`${text}; SELECT pg_reload_conf()`);
  return { ...it, cause: () => say(sql), undo: () => say(back) };
};

/** A primary that waits for a standby. What counts in the end is what the standby has, once the primary is gone. */
async function pair(t) {
  const it = await world(t);
  const standby = await startStandby(t, it.server);
  await it.server.reload('synchronous_standby_names=*');
  const synchronous = `SELECT count(*)::int AS count FROM pg_stat_replication WHERE sync_state = 'sync'`;
  await until('the standby', async () => (await it.store.query(synchronous))[0].count === 1);
  const rows = async () => {
    await it.server.kill();
    await standby.promote();
    return new Postgres(standby, standby.url).events();
  };
  return { ...it, standby, rows };
}

async function cancelledWaits(t) {
  const it = await pair(t);
  const cancel = `SELECT count(pg_cancel_backend(pid))::int AS count FROM pg_stat_activity WHERE wait_event = 'SyncRep'`;
  const cause = async () => {
    await it.standby.kill();
    for (let cancelled = 0; cancelled < 100; await pause(5)) cancelled += (await it.store.query(cancel))[0].count;
  };
  return { ...it, cause, undo: () => it.standby.restart() };
}

async function crashAlone(t) {
  const it = await pair(t);
  const cause = async ({ load }) => {
    await it.standby.kill();
    const before = load.refusals.length;
    await until('commits without an answer', () => load.refusals.length > before);
    await it.server.kill();
    await it.server.restart();
  };
  return { ...it, cause, undo: () => it.standby.restart() };
}

/** What was acknowledged after the backup is gone; the senders send it again, and whatever they are told then counts. */
async function restoredBackup(t) {
  const it = await world(t);
  const cause = async ({ server, load }) => {
    await load.stop();
    await it.server.halt();
    await it.server.save('backup');
    await it.server.restart();
    await until('a healthy server', async () => (await server.ask('/api/health')).status === 200);
    load.start();
    await load.progress(500, { within: 60 });
    await load.stop();
    await it.server.halt();
    await it.server.restore('backup');
  };
  const undo = async ({ server, load }) => {
    await it.server.restart();
    const again = [...load.entries.values()].filter((entry) => entry.keptAt !== undefined);
    for (const entry of again) Object.assign(entry, { keptAt: undefined, firstSent: performance.now(), attempts: 2 });
    const send = async (entry) => {
      entry.firstSent = performance.now();
      for (;;) {
        const response = await server.post(entry.body);
        if (response.status < 300) return load.note(entry, response);
        await pause(20);
      }
    };
    await Promise.all([...byStream(again).values()].map(async (entries) => {
      for (const entry of entries) await send(entry);
    }));
    load.start();
  };
  return { ...it, cause, undo };
}

function byStream(entries) {
  const streams = new Map();
  for (const entry of entries) streams.set(entry.stream, [...(streams.get(entry.stream) ?? []), entry]);
  return streams;
}

/** PgBouncer in transaction mode, two sessions for all. */
async function startBouncer(t, server) {
  const directory = await makeDirectory(t);
  const { port, password } = new URL(server.url);
  const own = 20000 + Math.floor(Math.random() * 12000);
  const file = join(directory, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]\nsluice = host=127.0.0.1 port=${port} dbname=sluice user=sluice password=${password}\n[pgbouncer]\n` +
      `listen_addr = 127.0.0.1\nlisten_port = ${own}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n` +
      `default_pool_size = 4\nmax_client_conn = 100\n`,
  );
  await chmod(file, 0o644);
  const [program, ...args] = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', 'pgbouncer', '-q', file];
  const child = process.getuid() === 0 ? spawn(program, args) : spawn('pgbouncer', ['-q', file]);
  cleanup(t, () => child.kill('SIGKILL'));
  const url = `postgresql://sluice@127.0.0.1:${own}/sluice`;
  await until('pgbouncer', () => new Postgres(server, url).query('SELECT 1 AS one').catch(() => false), { every: 50 });
  return url;
}

/** Two tenants share the sessions of a pooler: each has its own tables. */
async function tenants(t) {
  const it = await world(t);
  const url = await startBouncer(t, it.server);
  const stage = (schema) => ({ ...impatient(), url, schema });
  const other = await start(t, around(stage('tenant_b'), settings), { directory: await makeDirectory(t) });
  const neighbour = new Load(t, other.url, { name: 'b' });
  const inSchema = (schema) => {
    const at = new URL(it.server.url);
    at.searchParams.set('options', `-csearch_path=${schema}`);
    return new Postgres(it.server, at.href).events();
  };
  const rows = async ({ load }) => {
    await neighbour.stop();
    const theirs = compare(neighbour, await inSchema('tenant_b'));
    if (theirs.lost + theirs.unknown > 0) throw new Error(`the neighbour: ${JSON.stringify(theirs)}`);
    return inSchema('tenant_a');
  };
  return { ...it, pipeline: around(stage('tenant_a'), settings), cause: () => neighbour.start(), rows };
}

/** The first host takes connections and never says a word; then all sessions of the second are ended. */
async function silentFirstHost(t) {
  const it = await world(t);
  const sockets = new Set();
  const silent = createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise((done) => silent.listen(0, '127.0.0.1', done));
  cleanup(t, () => {
    sockets.forEach((socket) => socket.destroy());
    silent.close();
  });
  const url = it.server.url.replace('@', `@127.0.0.1:${silent.address().port},`);
  const end = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'sluice' AND pid <> pg_backend_pid()`;
  return { ...it, pipeline: around({ ...impatient(), url }, settings), cause: () => it.store.query(end) };
}

async function crash(t) {
  const it = await world(t);
  return { ...it, cause: () => it.server.kill(), undo: () => it.server.restart() };
}

async function deafReader(t) {
  const it = await world(t);
  const args = ['--log-level', 'debug'];
  const cause = ({ server }) => server.child.stderr.pause();
  return { ...it, args, cause, undo: ({ server }) => server.child.stderr.resume() };
}

const readOnly = setting('default_transaction_read_only', 'on', 'off');
const fsyncOff = setting('fsync', 'off', 'on');
const relaxed = alter('ALTER SYSTEM SET synchronous_commit = off', 'ALTER SYSTEM RESET synchronous_commit');
const unlogged = alter('ALTER TABLE webhook_events SET UNLOGGED', 'ALTER TABLE webhook_events SET LOGGED');

const faults = [
  { name: 'PostgreSQL is killed', tells: true, stops: true, prepare: crash },
  { name: 'PostgreSQL becomes read-only', tells: true, stops: true, prepare: readOnly },
  { name: 'ALTER SYSTEM SET synchronous_commit = off', tells: true, prepare: relaxed },
  { name: 'fsync = off', tells: true, stops: true, prepare: fsyncOff },
  { name: 'the table is made UNLOGGED', tells: true, stops: true, prepare: unlogged },
  { name: '100 waits for a standby are cancelled', tells: true, stops: true, prepare: cancelledWaits },
  { name: 'the primary crashes and comes back alone', tells: true, stops: true, prepare: crashAlone },
  { name: 'an older backup is restored', tells: true, prepare: restoredBackup },
  { name: 'two tenants behind PgBouncer', prepare: tenants },
  { name: 'the first of two hosts is silent', prepare: silentFirstHost },
  { name: 'nobody reads the log', prepare: deafReader },
];

/** Of both stages. */
export const postgresFaults = ['postgres', 'postgres_batch'].flatMap((stage) =>
  faults.map((fault) => ({
    ...fault,
    name: stage === 'postgres' ? fault.name : `${fault.name}, in batches`,
    prepare: (t) => {
      use = stage;
      return fault.prepare(t);
    },
  })),
);
