// Nobody is let in on the admin listener, and nobody who is kept out is in the way.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection, request } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { around, start } from './support/sluice.mjs';
import { until, within } from './support/wait.mjs';

const token = 'open-sesame-4711';
const right = { Authorization: `Bearer ${token}` };

async function startWith(t, admin, sections) {
  const directory = await makeDirectory(t);
  return start(t, around(new Flaky(directory).stage(), { admin, ...sections }), { directory });
}

test('slow and silent visitors, three times as many as there are places, keep nobody from metrics and health', async (t) => {
  for (const admin of [{ token }, {}]) {
    const server = await startWith(t, admin);
    const slow = [];
    for (let i = 0; i < 200; i++) {
      const connection = await Connection.open(server.admin);
      connection.write(['', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ', 'GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n'][i % 3]);
      slow.push(connection);
    }
    for (const path of ['/api/health', '/metrics', '/api/stats']) {
      const response = await within(5, path, server.ask(path, { headers: right }));
      assert.equal(response.status, 200, path);
    }
    await until('the slowest to be closed', () => slow.filter(({ isOpen }) => !isOpen).length >= 100);
    slow.forEach((connection) => connection.close());
  }
});

test('a visitor with the token keeps its connection while others come and go', async (t) => {
  const server = await startWith(t, { token });
  const scraper = await Connection.open(server.admin);
  const scrape = () => scraper.request({ method: 'GET', path: '/metrics', headers: right });
  assert.equal((await scrape()).status, 200);
  const others = [];
  for (let i = 0; i < 150; i++) others.push(await Connection.open(server.admin));
  others.forEach((connection) => connection.write('GET / HTTP/1.1\r\n'));
  assert.equal((await scrape()).status, 200);
  [scraper, ...others].forEach((connection) => connection.close());
});

test('the head decides: a body is not taken from who is kept out, nor a large one from anybody', async (t) => {
  const server = await startWith(t, { token });
  const heads = {
    401: ['POST /api/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n', 'POST /api/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'],
    413: [`POST /api/reload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000000000000\r\n\r\n`],
    400: [`GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\0\r\n\r\n`, `GET /metrics%00 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`, `GET /metrics HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n\r\n`],
  };
  for (const [status, requests] of Object.entries(heads))
    for (const head of requests) {
      const connection = await Connection.open(server.admin);
      connection.write(head);
      assert.equal((await within(5, head, connection.response())).status, Number(status), head);
      await within(5, 'the connection to be closed', connection.closed);
    }
  assert.equal((await server.ask('/api/reload', { method: 'POST', body: 'x', headers: right })).status, 200);
  assert.equal((await server.ask('/api/reload', { method: 'POST', body: 'x' })).status, 401);
});

test('wrong tokens get 429 after some and are logged, and the right one is let in at once', async (t) => {
  const server = await startWith(t, { token });
  const begun = performance.now();
  const statuses = [];
  const guess = async (word) =>
    statuses.push((await server.ask('/metrics', { headers: { Authorization: `Bearer ${word}` } })).status);
  while (statuses.filter((status) => status === 429).length < 10 && statuses.length < 1000) await guess(statuses.length);
  await until('a line in the log', () => /admin_token_refused .*client=127\.0\.0\.1/.test(server.log));
  assert.ok(!server.log.includes(token));
  for (let i = 0; i < 5; i++) {
    assert.equal((await server.ask('/metrics', { headers: right })).status, 200);
    await guess('wrong');
  }
  const seconds = (performance.now() - begun) / 1000;
  const judged = statuses.filter((status) => status === 401).length;
  assert.ok(judged <= 20 + Math.ceil(5 * seconds), `${judged} guesses were judged in ${seconds} s`);
  assert.equal(judged + statuses.filter((status) => status === 429).length, statuses.length, statuses.join());
});

test('one Authorization field is read, white space behind it is not; of two, none counts', async (t) => {
  const server = await startWith(t, { token });
  const fields = {
    200: [`Authorization: Bearer ${token} \t `, `authorization:Bearer ${token}`],
    400: [
      `Authorization: Bearer ${token}\r\nAuthorization: Bearer wrong`,
      `Authorization: Bearer wrong\r\nauthorization: Bearer ${token}`,
      `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}`,
    ],
  };
  for (const [status, each] of Object.entries(fields))
    for (const field of each) {
      const connection = await Connection.open(server.admin);
      connection.write(`GET /metrics HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`);
      assert.equal((await within(5, field, connection.response())).status, Number(status), field);
      connection.close();
    }
});

test('without a token a name that leads here by DNS, or the page of another site, gets nothing', async (t) => {
  const server = await startWith(t, {});
  assert.equal((await server.post(webhook('secret-id'))).status, 202);
  for (const path of ['/metrics', '/api/pipeline', '/api/stats', '/api/lineage/secret-id', '/nothing']) {
    for (const host of ['evil.example:9464', '[::1].evil.example', '[::1]evil']) {
      const response = await server.ask(path, { headers: { Host: host } });
      assert.equal(response.status, 421, path);
      assert.ok(!response.text.includes('secret-id'));
    }
  }
  const post = (headers) => server.ask('/api/reload', { method: 'POST', body: '', headers });
  assert.equal((await post({ Origin: 'http://evil.example' })).status, 403);
  assert.equal((await post({ 'Sec-Fetch-Site': 'cross-site' })).status, 403);
  assert.equal((await post({})).status, 200);
});

