// The binary under test: its commands, and a server in a directory of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

import { cleanup, makeDirectory } from './cleanup.mjs';
import { request } from './client.mjs';
import { parseMetrics } from './metrics.mjs';
import { until, within } from './wait.mjs';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const build = resolve(root, process.env.SLUICE_BUILD || 'build');
const binary = join(build, 'sluice');

/** A stage made for tests, as a pipeline names it. */
export const fixture = (kind, name) => join(build, 'tests/stages', kind, `${name}.so`);

const switches = ['ENABLE_OPTIMIZATIONS', 'ENABLE_LATENCY_PROFILING', 'SLUICE_STAGE_PATH'];
const ownEnvironment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !switches.includes(name)));

/** A port that nobody listens on: its listener has just gone. */
export async function freePort() {
  const listener = createServer();
  await new Promise((done) => listener.listen(0, '127.0.0.1', done));
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

/** Runs a program to its end. */
export function execute(program, args, { env = {}, cwd, input, seconds = 60 } = {}) {
  const child = spawn(program, args, { cwd, env: { ...ownEnvironment, ...env } });
  const out = [];
  const err = [];
  child.stdout.on('data', (bytes) => out.push(bytes));
  child.stderr.on('data', (bytes) => err.push(bytes));
  child.stdin.on('error', () => {}); // it may end before it has read everything
  child.stdin.end(input ?? '');
  const ended = new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      done({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
  return within(seconds, `the end of ${program} ${args[0]}`, ended).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
}

/** Runs a subcommand to its end. */
export const sluice = (args, options) => execute(binary, args, options);

/** A pipeline as an object, in the file that a user would have written. JSON is YAML. */
export async function writePipeline(directory, pipeline, name = 'pipeline.yaml') {
  const file = join(directory, name);
  await writeFile(file, JSON.stringify(pipeline, null, 2));
  return file;
}

/** The plainest pipeline around a persist stage, `{ persist: 'sqlite', path: … }`; what is given replaces its part. */
export function around(persist, { auth, parse, idempotency, queue, ...sections } = {}) {
  return {
    pipeline: 'test',
    stages: [
      { auth: 'none', ...auth },
      { parse: 'json', ...parse },
      { idempotency: 'memory', ...idempotency },
      { queue: 'memory', workers: 4, ...queue },
      persist,
    ],
    ...sections,
  };
}

class Server {
  constructor(child) {
    this.child = child;
    this.pid = child.pid;
    this.lines = []; // of stdout
    this.log = '';
    let rest = '';
    child.stdout.on('data', (bytes) => {
      const lines = (rest + bytes).split('\n');
      rest = lines.pop();
      this.lines.push(...lines);
    });
    child.stderr.on('data', (bytes) => (this.log += bytes));
    this.exited = new Promise((done) => {
      child.on('close', (code, signal) => {
        this.end = { code, signal };
        done(this.end);
      });
    });
  }

  #announced(word) {
    return this.lines.find((line) => line.startsWith(`${word} `))?.slice(word.length + 1);
  }

  async ready() {
    await until('the line `ready` of sluice run', () => this.end || this.#announced('ready'), { within: 20 });
    if (this.end) throw new Error(`sluice run ended with ${JSON.stringify(this.end)}:\n${this.log}`);
    this.url = this.#announced('ready');
    this.admin = this.#announced('admin');
    return this;
  }

  signal(name) {
    if (!this.end) this.child.kill(name);
  }

  /** Sends the signal and waits for the end of the process. */
  async stop(name = 'SIGTERM', seconds = 20) {
    this.signal(name);
    return within(seconds, `the end of sluice after ${name}; its log:\n${this.log.slice(-2000)}`, this.exited);
  }

  post(body, headers) {
    return request(this.url, { body, headers });
  }

  ask(path, options) {
    const headers = { Host: new URL(this.admin).host, ...options?.headers };
    return request(this.admin, { method: 'GET', path, ...options, headers });
  }

  async metrics() {
    return parseMetrics((await this.ask('/metrics')).text);
  }

  /** Waits until the metric has at least that value. */
  atLeast(count, name, labels, options) {
    const what = `${name} ${JSON.stringify(labels ?? {})} to reach ${count}`;
    return until(what, async () => (await this.metrics()).value(name, labels) >= count, options);
  }

  /** Waits until the metric is `expected`, { value of the label: count }, since a response may come a moment before it is
   * counted. Gives the metrics of that moment. */
  async counts(name, label, expected) {
    let metrics;
    let seen;
    const read = async () => {
      metrics = await this.metrics();
      seen = Object.fromEntries(Object.keys(expected).map((key) => [key, metrics.value(name, { [label]: key })]));
      return isDeepStrictEqual(seen, expected);
    };
    await until(name, read).catch(() => assert.deepEqual(seen, expected, name));
    return metrics;
  }
}

/** Starts `sluice run` on a file or on a pipeline as an object, on free ports. It ends with the test. */
export async function start(t, pipeline, { args = [], env = {}, directory, program = binary } = {}) {
  const place = directory ?? (await makeDirectory(t));
  const file = typeof pipeline === 'string' ? pipeline : await writePipeline(place, pipeline);
  const flags = ['--set', 'listen.port=0', '--set', 'admin.port=0', ...args];
  const child = spawn(program, ['run', file, ...flags], {
    cwd: place,
    env: { ...ownEnvironment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const server = new Server(child);
  cleanup(t, async () => {
    await server.stop('SIGKILL');
    const report = /(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|runtime error: /.exec(server.log);
    if (report) throw new Error(server.log.slice(report.index, report.index + 6000));
  });
  await server.ready();
  server.file = file;
  server.directory = place;
  return server;
}
