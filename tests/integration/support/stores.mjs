// Both stores, as their users see them: with sqlite3 and psql.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { cleanup } from './cleanup.mjs';
import { startPostgres } from './postgres.mjs';
import { execute } from './sluice.mjs';
import { within } from './wait.mjs';

export const kinds = ['sqlite', 'postgres'];

const columns = 'id, message_id, event_type, stream, sequence, request_id';

// A client that holds a lock until it is released: a database that keeps everybody waiting.
async function hold(t, program, args, begin) {
  const client = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((done) => client.on('close', done));
  const held = new Promise((done) => client.stdout.on('data', (bytes) => String(bytes).includes('held') && done()));
  client.stdin.write(`${begin}\nSELECT 'held';\n`);
  await within(10, `the lock by ${program}`, held);
  const release = async () => {
    client.stdin.end('COMMIT;\n');
    await ended;
  };
  cleanup(t, release);
  return release;
}

class Sqlite {
  constructor(path) {
    this.path = path;
  }

  stage(options) {
    return { persist: 'sqlite', path: this.path, ...options };
  }

  async query(sql) {
    const { code, stdout, stderr } = await execute('sqlite3', ['-json', '-cmd', '.timeout 5000', this.path, sql]);
    if (code !== 0) throw new Error(`sqlite3: ${stderr}`);
    return stdout.trim() ? JSON.parse(stdout) : [];
  }

  /** Every row by id; payload in lower-case hex. */
  events() {
    return this.query(`SELECT ${columns}, lower(hex(payload)) AS payload FROM webhook_events ORDER BY id`);
  }

  /** Nobody else can commit until the function that this gives is called. */
  lock(t) {
    return hold(t, 'sqlite3', [this.path], '.timeout 5000\nBEGIN IMMEDIATE;');
  }

  /** The store refuses every event that has this request id. */
  refuse(requestId) {
    return this.query(
      `CREATE TRIGGER refuse BEFORE INSERT ON webhook_events WHEN NEW.request_id GLOB '${requestId}'
       BEGIN SELECT RAISE(ABORT, 'not this one'); END`,
    );
  }

  /** refuse() is over. */
  accept() {
    return this.query('DROP TRIGGER refuse');
  }
}

export class Postgres {
  constructor(server, url) {
    this.server = server;
    this.url = url;
  }

  stage(options) {
    return { persist: 'postgres', url: this.url, ...options };
  }

  async #psql(sql) {
    const { code, stdout, stderr } = await execute(
      'psql',
      ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', this.url],
      {
        input: sql,
      },
    );
    if (code !== 0) throw new Error(`psql: ${stderr}`);
    return stdout.trim();
  }

  async query(sql) {
    if (!/^\s*SELECT/i.test(sql)) return this.#psql(sql);
    return JSON.parse(await this.#psql(`SELECT coalesce(json_agg(each), '[]') FROM (${sql}) AS each`));
  }

  /** Every row by id; payload in lower-case hex of what is stored, as text where it is not bytes. */
  async events() {
    const [{ type }] = await this.query(
      `SELECT data_type AS type FROM information_schema.columns
       WHERE table_name = 'webhook_events' AND column_name = 'payload'`,
    );
    const bytes = type === 'bytea' ? 'payload' : `convert_to(payload::text, 'UTF8')`;
    return this.query(`SELECT ${columns}, encode(${bytes}, 'hex') AS payload FROM webhook_events ORDER BY id`);
  }

  lock(t) {
    const begin = 'BEGIN; LOCK TABLE webhook_events IN EXCLUSIVE MODE;';
    return hold(t, 'psql', ['-X', '-q', '-A', '-t', this.url], begin);
  }

  refuse(requestId) {
    const pattern = requestId.replaceAll('*', '%');
    return this.query(`ALTER TABLE webhook_events ADD CONSTRAINT refuse CHECK (request_id NOT LIKE '${pattern}')`);
  }

  accept() {
    return this.query('ALTER TABLE webhook_events DROP CONSTRAINT refuse');
  }
}

/** A database of the test's own: on the PostgreSQL of the whole run, unless `apart` asks for a server that may fall. */
export async function openStore(t, kind, directory, { apart = false } = {}) {
  if (kind === 'sqlite') return new Sqlite(join(directory, 'sluice.db'));
  const shared = process.env.SLUICE_TEST_POSTGRES;
  const server = shared && !apart ? undefined : await startPostgres(t);
  const url = new URL(server?.url ?? shared);
  const name = `test_${randomBytes(8).toString('hex')}`;
  await new Postgres(server, url.href).query(`CREATE DATABASE ${name}`);
  url.pathname = `/${name}`;
  return new Postgres(server, url.href);
}
