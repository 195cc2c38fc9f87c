// Two programs: `sluice` and the laboratory that it starts; and the client of the admin listener.

import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { build, execute, sluice } from './support/sluice.mjs';

const laboratory = ['generate', 'replay', 'verify', 'analyze', 'compare', 'gate', 'evidence', 'audit', 'report', 'conform'];

test('one help lists the commands of both programs, and each has its own', async () => {
  const { code, stdout } = await sluice(['--help']);
  assert.equal(code, 0);
  for (const name of ['run', 'check', 'status', ...laboratory]) assert.match(stdout, new RegExp(`^  ${name} `, 'm'), name);
  for (const name of laboratory) {
    const help = await sluice([name, '--help']);
    assert.equal(help.code, 0, name);
    assert.match(help.stdout, new RegExp(`^Usage: sluice ${name} `), name);
  }
});

test('arguments, output and exit status pass through', async () => {
  const { code, stdout, stderr } = await sluice(['generate', '--count', '2', '--seed', '7']);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim().split('\n').length, 2);
  assert.equal((await sluice(['report', '/nonexistent'])).code, 2);
  assert.equal((await sluice(['conform', join(build, 'tests/flawed/auth/lets_in_unsigned.so'), '--only', 'missing-header', '--set', 'secrets=s'])).code, 1);
});

test('without the laboratory its commands say what is missing, and the others work', async (t) => {
  const directory = await makeDirectory(t);
  const alone = join(directory, 'sluice');
  await copyFile(join(build, 'sluice'), alone);
  const { code, stderr } = await execute(alone, ['compare', 'x.yaml']);
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`^sluice compare: cannot start ${directory}/sluice-lab, which is installed with sluice: No such file`));
  assert.equal((await execute(alone, ['schema'])).code, 0);
});

const health = JSON.stringify({ pipeline: 'p', health: { status: 'ok' } });

async function listen(t, server) {
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  return server.address().port;
}

const status = (admin, env) => sluice(['status', '--json', '--admin', admin], { env });

test('the admin listener may be behind a path, a proxy that chunks, and without a scheme', async (t) => {
  const seen = [];
  const server = http.createServer((request, response) => {
    seen.push([request.url, request.headers.authorization, request.headers.host]);
    for (const byte of health) response.write(byte);
    response.end();
  });
  const port = await listen(t, server);
  for (const admin of [`http://127.0.0.1:${port}`, `127.0.0.1:${port}`, `http://localhost:${port}/sluice/`]) {
    const { code, stdout, stderr } = await status(admin, { SLUICE_ADMIN_TOKEN: 'sesame' });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, health);
  }
  assert.deepEqual(seen, [
    ['/api/stats', 'Bearer sesame', `127.0.0.1:${port}`],
    ['/api/stats', 'Bearer sesame', `127.0.0.1:${port}`],
    ['/sluice/api/stats', 'Bearer sesame', `localhost:${port}`],
  ]);
});

test('an id goes into the path as one part', async (t) => {
  let seen;
  const server = http.createServer((request, response) => {
    seen = request.url;
    response.end('found\n');
  });
  const port = await listen(t, server);
  const { stdout } = await sluice(['lineage', 'a/b ä?.~-_', '--admin', `http://127.0.0.1:${port}`]);
  assert.equal(stdout, 'found\n');
  assert.equal(seen, '/api/lineage/a%2Fb%20%C3%A4%3F.~-_');
});

test('https is trusted where the certificate is, for the name that was asked for', async (t) => {
  const directory = await makeDirectory(t);
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const made = await execute('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=sluice test'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const server = https.createServer({ key: await readFile(key), cert: await readFile(cert) }, (request, response) =>
    response.end(health),
  );
  const port = await listen(t, server);
  const trusted = await status(`https://127.0.0.1:${port}`, { SSL_CERT_FILE: cert });
  assert.equal(trusted.code, 0, trusted.stderr);
  assert.equal(trusted.stdout, health);
  const untrusted = await status(`https://127.0.0.1:${port}`);
  assert.equal(untrusted.code, 2);
  assert.match(untrusted.stderr, /TLS: self-signed certificate/);
  const other = await status(`https://localhost:${port}`, { SSL_CERT_FILE: cert });
  assert.equal(other.code, 2);
  assert.match(other.stderr, /TLS: hostname mismatch/);
});

const incomplete = [
  ['nothing', ''],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ['half a body', `HTTP/1.1 200 OK\r\nContent-Length: ${health.length + 1}\r\n\r\n${health}`],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
];
for (const [what, text] of incomplete)
  test(`a server that sends ${what} gave no response`, async (t) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.end(text));
    });
    const port = await listen(t, server);
    const { code, stdout, stderr } = await status(`http://127.0.0.1:${port}`);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, new RegExp(`^http://127.0.0.1:${port}/api/stats: no response: the response is not complete HTTP/1.1`));
  });

test('a server that never answers is given up', async (t) => {
  const server = net.createServer((socket) => socket.on('error', () => {}));
  const port = await listen(t, server);
  const { code, stderr } = await status(`http://127.0.0.1:${port}`);
  assert.equal(code, 2);
  assert.match(stderr, /timed out after 10 s/);
});

test('an admin URL that is none is refused', async () => {
  const { code, stderr } = await status('ftp://127.0.0.1');
  assert.equal(code, 2);
  assert.match(stderr, /^--admin: expected a URL/);
});
