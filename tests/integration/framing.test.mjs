// Where a request ends must not be a matter of opinion; and what HTTP/1.1 allows must work.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection, render } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { framings } from './support/framings.mjs';
import { around, start } from './support/sluice.mjs';
import { until, within } from './support/wait.mjs';

async function startPlain(t, listen = {}) {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const server = await start(t, around(store.stage(), { listen }), { directory });
  return { store, server };
}

// Behind a request that is refused: a server that reads on takes it for another.
const smuggled = render({ body: webhook('smuggled') });

const isKept = (status) => status === 200 || status === 202;

test('each framing of tests/http/framings.txt gets the responses of the table, and no request is smuggled', async (t) => {
  const { store, server } = await startPlain(t);
  const rows = await framings();
  assert.ok(rows.length > 100);
  for (const { name, statuses, bytes } of rows) {
    const connection = await Connection.open(server.url);
    const refused = !isKept(statuses.at(-1));
    connection.write(refused ? Buffer.concat([bytes, smuggled]) : bytes);
    const seen = [];
    for (let i = 0; i < statuses.length; i++)
      seen.push((await within(5, `response ${i + 1} to ${name}`, connection.response())).status);
    if (refused) await within(5, `the connection to be closed after ${name}`, connection.closed);
    seen.push(...connection.unasked.map((response) => response.status));
    assert.deepEqual(
      seen.map((status) => (isKept(status) ? 202 : status)),
      statuses,
      name,
    );
    connection.close();
  }
  assert.deepEqual(await store.ids(), ['m']);
});

test('a refusal says what is wrong, whether it comes at once, byte by byte, or behind requests that are not stored yet', async (t) => {
  const { store, server } = await startPlain(t);
  const says = {
    'Content-Length : 2\r\n\r\n{}': /white space before its colon/,
    'Content-Length: 2\r\n folded\r\n\r\n{}': /continue on the next line/,
    'Content-Length: 2\nX: y\r\n\r\n{}': /CR LF/,
    'Content-Length: 2, 2\r\n\r\n{}': /Content-Length must be one number/,
    'Host: t\r\n\r\n': /expected one Host/,
    'Transfer-Encoding: chunked\r\n\r\n2;\n': /CR LF/,
  };
  for (const [rest, sentence] of Object.entries(says)) {
    const bad = `POST /webhooks HTTP/1.1\r\nHost: s\r\n${rest}`;
    for (const pieces of [[bad], [...bad]]) {
      const connection = await Connection.open(server.url);
      for (const piece of pieces) {
        connection.write(piece);
        await new Promise(setImmediate);
      }
      const response = await within(5, `a response to ${rest}`, connection.response());
      assert.equal(response.status, 400);
      assert.equal(response.headers['content-type'], 'application/problem+json');
      assert.match(response.json().detail, sentence);
      await within(5, 'the connection to be closed', connection.closed);
    }
    await store.hold();
    const connection = await Connection.open(server.url);
    const responses = [connection.request({ body: webhook(`before ${rest}`) }), connection.response()];
    connection.write(bad);
    await server.atLeast(1, 'webhook_queue_inside');
    await store.release();
    assert.deepEqual((await Promise.all(responses)).map((response) => response.status), [202, 400]);
  }
  await server.counts('webhook_requests_total', 'status', { 400: 3 * Object.keys(says).length });
});

test('a sender that closes its side gets every response: to complete requests, and 400 to one that is not', async (t) => {
  const { store, server } = await startPlain(t);
  const whole = (id) => render({ body: webhook(id) });
  const sent = [
    [[whole('a1')], [202]],
    [[whole('b1'), whole('b2'), whole('b3')], [202, 202, 202]],
    [[whole('c1').subarray(0, -1)], [400]],
    [[whole('d1').subarray(0, 20)], [400]],
    [[whole('e1'), whole('e2').subarray(0, -1)], [202, 400]],
    [['POST /webhooks HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n'], [400]],
    [[], []],
  ];
  for (const slowly of [false, true])
    for (const [pieces, statuses] of sent) {
      if (slowly) await store.hold();
      const connection = await Connection.open(server.url);
      for (const piece of pieces) connection.write(piece);
      connection.socket.end();
      if (slowly) await new Promise(setImmediate);
      if (slowly) await store.release();
      await within(5, 'the connection to be closed', connection.closed);
      const seen = connection.unasked.map(({ status }) => (isKept(status) ? 202 : status));
      assert.deepEqual(seen, statuses);
    }
  assert.deepEqual(await store.ids(), ['a1', 'b1', 'b2', 'b3', 'e1']);
});

test('HTTP/1.0 with a transfer coding is refused, without one it is served and closed', async (t) => {
  const { server } = await startPlain(t);
  const chunked = await Connection.open(server.url);
  chunked.write('POST /webhooks HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  await within(5, 'the connection to be closed', chunked.closed);
  assert.equal(chunked.unasked[0].status, 400);
  const plain = await Connection.open(server.url);
  const body = webhook('old');
  plain.write(`POST /webhooks HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await within(5, 'the connection to be closed', plain.closed);
  assert.equal(plain.unasked[0].status, 202);
});

test('a chunked body arrives as it was meant, however it is cut', async (t) => {
  const { store, server } = await startPlain(t);
  const connection = await Connection.open(server.url);
  const cuts = [1, 7, 30, 10000];
  for (const [i, size] of cuts.entries()) {
    const body = webhook(`chunked-${i}`, { payload: `"${'y'.repeat(3000)}"` });
    let chunks = '';
    for (let at = 0; at < body.length; at += size) {
      const chunk = body.slice(at, at + size);
      chunks += `${chunk.length.toString(16)};extension=1\r\n${chunk}\r\n`;
    }
    const fields = { 'Transfer-Encoding': 'chunked' };
    const response = await connection.request({ headers: fields, body: `${chunks}0\r\nX-Trailer: 1\r\n\r\n` });
    assert.equal(response.status, 202, response.text);
    assert.equal((await server.post(body)).status, 200, 'the same with a Content-Length is a duplicate');
  }
  assert.equal((await store.ids()).length, cuts.length);
});

test('a request that arrives byte by byte is served', async (t) => {
  const { server } = await startPlain(t);
  const connection = await Connection.open(server.url);
  const bytes = render({ body: webhook('byte by byte') });
  const response = connection.response();
  for (const byte of bytes) {
    connection.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  assert.equal((await response).status, 202);
});

test('Expect: 100-continue is answered before the body, or with a refusal instead', async (t) => {
  const { server } = await startPlain(t, { max_body: '1000' });
  const body = webhook('expected');
  const connection = await Connection.open(server.url);
  const response = connection.response();
  connection.write(
    `POST /webhooks HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await until('100 Continue', () => connection.informational.length > 0);
  assert.equal(connection.informational[0].status, 100);
  connection.write(body);
  assert.equal((await response).status, 202);

  const refused = await Connection.open(server.url);
  refused.write('POST /webhooks HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n');
  assert.equal((await refused.response()).status, 413);
  assert.deepEqual(refused.informational, []);
});

test('Expect: 100-continue without a body, or behind other requests, is in nobody\'s way', async (t) => {
  const { store, server } = await startPlain(t);
  const head = (line, length) => `${line} HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const empty = head('POST /webhooks', 0);
  const get = 'GET /x HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\n\r\n';
  const whole = (id) => render({ body: webhook(id) });
  const body = webhook('invited');
  const sent = [
    [[empty, 'GET /x HTTP/1.1\r\nHost: s\r\n\r\n'], [400, 404]],
    [[empty, empty], [400, 400]],
    [[get, whole('a')], [404, 202]],
    [[whole('b'), empty, whole('c')], [202, 400, 202]],
    [[get, get, empty, whole('d')], [404, 404, 400, 202]],
    [[whole('e'), head('POST /webhooks', 3), '{}}'], [202, 400]],
  ];
  for (const [pieces, statuses] of sent)
    for (const inParts of [false, true]) {
      const connection = await Connection.open(server.url);
      const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
      for (const part of inParts ? [bytes.subarray(0, 50), bytes.subarray(50)] : [bytes]) {
        connection.write(part);
        await new Promise(setImmediate);
      }
      const seen = [];
      for (let i = 0; i < statuses.length; i++)
        seen.push((await within(5, `response ${i + 1} to ${bytes}`, connection.response())).status);
      assert.deepEqual(seen.map((status) => (isKept(status) ? 202 : status)), statuses, String(bytes));
      connection.close();
    }

  await store.hold();
  const connection = await Connection.open(server.url);
  const responses = [connection.request({ body: webhook('before') }), connection.response()];
  connection.write(head('POST /webhooks', body.length));
  await server.atLeast(1, 'webhook_queue_inside');
  assert.deepEqual(connection.informational, []);
  await store.release();
  assert.equal((await responses[0]).status, 202);
  await until('100 Continue', () => connection.informational.length > 0);
  connection.write(body);
  assert.equal((await responses[1]).status, 202);
});

test('pipelined requests are answered in their order', async (t) => {
  const { store, server } = await startPlain(t);
  const connection = await Connection.open(server.url);
  const ids = Array.from({ length: 50 }, (_, i) => `pipelined-${i}`);
  const responses = await Promise.all(ids.map((id) => connection.request({ body: webhook(id, { stream: 'one' }) })));
  assert.deepEqual(
    responses.map((response) => response.json().message_id),
    ids,
  );
  assert.deepEqual(await store.ids(), ids);
});

test('keep_alive: 0s closes after each answer, otherwise an idle connection is closed after that time', async (t) => {
  const { server } = await startPlain(t, { keep_alive: '0s' });
  const once = await Connection.open(server.url);
  const response = await once.request({ body: webhook('once') });
  assert.equal(response.status, 202);
  assert.match(response.headers.connection, /close/i);
  await within(5, 'the connection to be closed', once.closed);

  const { server: second } = await startPlain(t, { keep_alive: '300ms' });
  const kept = await Connection.open(second.url);
  for (const id of ['a', 'b']) assert.equal((await kept.request({ body: webhook(id) })).status, 202);
  const begun = performance.now();
  const closedAt = await within(5, 'the idle connection to be closed', kept.closed);
  assert.ok(closedAt - begun >= 250, `closed after ${closedAt - begun} ms`);
});
