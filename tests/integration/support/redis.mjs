// A private Redis that keeps what it answers.

import { spawn } from 'node:child_process';
import { connect } from 'node:net';

import { cleanup, makeDirectory } from './cleanup.mjs';
import { freePort } from './sluice.mjs';
import { until } from './wait.mjs';

const answers = (port) =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.on('data', (bytes) => done(String(bytes).startsWith('+PONG')) || socket.destroy());
    socket.on('error', () => done(false));
  });

/** Its port; it ends with the test. */
export async function startRedis(t) {
  const port = await freePort();
  const keeps = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  const child = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--dir', await makeDirectory(t), ...keeps], {
    stdio: 'ignore',
  });
  const ended = new Promise((done) => child.on('close', done));
  cleanup(t, async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await until('redis-server to answer', () => answers(port), { within: 20 });
  return port;
}
