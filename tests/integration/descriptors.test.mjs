// A process may have so many files open, or threads, and no more. Who then comes is told, and nobody waits in vain.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { cleanup, makeDirectory } from './support/cleanup.mjs';
import { Connection, request } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { around, build, execute, freePort, start, writePipeline } from './support/sluice.mjs';
import { until, within } from './support/wait.mjs';

const stored = { persist: 'sqlite', path: 'events.db' };

/** The program under a limit on open files. */
async function limited(directory, files) {
  const program = join(directory, 'limited');
  await writeFile(program, `#!/bin/sh\nulimit -n ${files}\nexec ${join(build, 'sluice')} "$@"\n`, { mode: 0o755 });
  return program;
}

test('a limit on open files that leaves too few is refused at start', async (t) => {
  const directory = await makeDirectory(t);
  const file = await writePipeline(directory, around(stored));
  for (const files of [40, 64, 80]) {
    const ports = ['--set', 'listen.port=0', '--set', 'admin.port=0'];
    const { code, stderr } = await execute(await limited(directory, files), ['run', file, ...ports], { cwd: directory });
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`limit on open files \\(ulimit -n\\) is ${files}: at least \\d+ are needed`));
  }
});

test('with few descriptors fewer connections are served, which the log says, and more senders keep nobody out', async (t) => {
  const directory = await makeDirectory(t);
  const server = await start(t, around(stored), { directory, program: await limited(directory, 100) });
  assert.match(server.log, /connections_limited .*max_connections=12000/);
  const idle = [];
  for (let i = 0; i < 120; i++) idle.push(await Connection.open(server.url));
  for (let i = 0; i < 20; i++) assert.equal((await server.post(webhook(`m-${i}`))).status, 202);
  assert.ok(!server.log.includes('accept_failed'));
  idle.forEach((connection) => connection.close());
});

/** A newcomer's response: 404 where it is served. */
async function knock(server, taken) {
  const connection = await Connection.open(server.url);
  taken.push(connection);
  return (await within(5, 'a response', connection.request({ method: 'GET', path: '/nothing' }))).status;
}

test('a sender that comes when no descriptor is left gets 503 at once, and later ones are served', async (t) => {
  const directory = await makeDirectory(t);
  const server = await start(t, around(stored), { directory });
  const limit = async (files) =>
    assert.equal((await execute('prlimit', [`--pid=${server.pid}`, `--nofile=${files}:`])).code, 0);
  const kept = await Connection.open(server.url);
  assert.equal((await kept.request({ body: webhook('before') })).status, 202);
  const open = new Set(await readdir(`/proc/${server.pid}/fd`));
  let free = 0;
  while (open.has(String(free))) free++;
  await limit(free + 2);
  const taken = [];
  let status;
  while ((status = await knock(server, taken)) === 404) assert.ok(taken.length < 20, 'there was always another one');
  assert.equal(status, 503);
  await until('a line in the log', () => server.log.includes('accept_failed'));
  assert.equal((await kept.request({ body: webhook('meanwhile') })).status, 202);
  await limit(1000);
  await until('service again', async () => (await within(5, 'a response', server.post(webhook('after')))).status === 202);
});

/** The program with standard streams closed, `<&-` and the like. */
async function closing(directory, streams) {
  const program = join(directory, 'closing');
  await writeFile(program, `#!/bin/sh\nexec ${join(build, 'sluice')} "$@" ${streams}\n`, { mode: 0o755 });
  return program;
}

for (const streams of ['<&-', '2>&-', '>&- 2>&-', '<&- >&- 2>&-'])
  test(`with ${streams} at start no file gets the number of a standard stream, and the log goes into none`, async (t) => {
    const directory = await makeDirectory(t);
    const file = await writePipeline(directory, around(stored));
    const port = await freePort();
    const child = spawn(
      await closing(directory, streams),
      ['run', file, '--set', `listen.port=${port}`, '--set', 'admin.port=0', '--trace', 'trace.bin'],
      { cwd: directory, stdio: 'ignore' },
    );
    const exited = new Promise((done) => child.on('close', done));
    cleanup(t, async () => {
      child.kill('SIGKILL');
      await exited;
    });
    const post = (body) => request(`http://127.0.0.1:${port}`, { body }).catch(() => null);
    await until('an event to be accepted', async () => (await post(webhook('m')))?.status === 202, { within: 20 });
    assert.equal((await post('no JSON')).status, 400); // the log tells it
    for (const fd of [0, 1, 2]) assert.equal(await readlink(`/proc/${child.pid}/fd/${fd}`), '/dev/null');
    child.kill('SIGTERM');
    await within(20, 'the end of sluice', exited);
    for (const name of ['trace.bin', 'events.db'])
      assert.doesNotMatch((await readFile(join(directory, name))).toString('latin1'), /event_refused|draining|ready http/);
  });

test('a closed standard output is still one that cannot be written', async (t) => {
  const directory = await makeDirectory(t);
  for (const args of [['schema'], ['generate', '--count', '2']]) {
    const { code, stdout, stderr } = await execute(await closing(directory, '>&-'), args, { cwd: directory });
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /standard output: cannot write it/);
  }
  const { code } = await execute(await closing(directory, '<&- 2>&-'), ['schema'], { cwd: directory });
  assert.equal(code, 0);
});

// The listener for senders comes last: nothing can end a start once they are served.
test('with any number of threads too few, a start ends with a sentence, before a sender is served', async (t) => {
  const directory = await makeDirectory(t);
  const file = await writePipeline(directory, around(stored, { queue: { workers: 1 } }));
  const env = { LD_PRELOAD: join(build, 'tests/few-threads.so'), ASAN_OPTIONS: 'verify_asan_link_order=0' };
  const reasons = [];
  const begin = () => start(t, file, { directory, env: { ...env, THREADS_AT_MOST: `${reasons.length}` } });
  for (let server; !server; ) {
    server = await begin().catch((error) => {
      const sentence = /"code":2,"signal":null[^]*\n((cannot start|persist\/sqlite: no thread could)[^\n]*)\n$/.exec(error.message);
      assert.ok(sentence, error.message);
      reasons.push(sentence[1]);
    });
  }
  assert.match(reasons.at(-1), /^cannot start the thread that accepts connections/, reasons.join('\n'));
});
