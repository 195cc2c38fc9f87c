// Bounds: what is too much is refused at once, counted, and forgotten as soon as there is room again.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection, request } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { around, start } from './support/sluice.mjs';
import { patience, until } from './support/wait.mjs';

async function startFlaky(t, sections, options) {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const server = await start(t, around(store.stage(options), sections), { directory });
  return { store, server };
}

function assertProblem(response, status) {
  assert.equal(response.status, status, response.text);
  assert.equal(response.headers['content-type'], 'application/problem+json');
  const problem = response.json();
  assert.equal(problem.status, status);
  assert.ok(problem.title.length > 0);
  assert.equal(problem.request_id, response.headers['x-request-id']);
  if (status === 503) assert.match(response.headers['retry-after'], /^[1-9]\d*$/);
  return problem;
}

const inFlightIs = (server, count) =>
  until(`${count} in flight`, async () => (await server.metrics()).value('webhook_in_flight') === count);

// As many events as fit stay inside; the next is refused at once and counted; with room again it is taken.
async function seeBound(store, server, fitting, makeBody) {
  await store.hold();
  const inside = [];
  for (let i = 0; i < fitting; i++) {
    inside.push(request(server.url, { body: makeBody(`inside-${i}`) }));
    await server.atLeast(i + 1, 'webhook_queue_inside');
  }
  const begun = performance.now();
  const refused = await server.post(makeBody('beyond'));
  assertProblem(refused, 503);
  assert.ok(refused.at - begun < 1000 * patience, 'it was kept waiting');
  await server.counts('webhook_requests_total', 'status', { 503: 1 });
  await store.release();
  for (const response of await Promise.all(inside)) assert.equal(response.status, 202);
  await inFlightIs(server, 0); // a response may come a moment before its event has gone
  assert.equal((await server.post(makeBody('beyond'))).status, 202);
  assert.equal((await store.ids()).length, fitting + 1);
}

test('events in flight are bounded', async (t) => {
  const { store, server } = await startFlaky(t, { events: { max: 5 } });
  await seeBound(store, server, 5, (id) => webhook(id));
});

test('the bytes of events in flight are bounded', async (t) => {
  const { store, server } = await startFlaky(t, { listen: { max_body: '110KiB' }, events: { max_bytes: '300KiB' } });
  const large = `"${'x'.repeat(100 * 1024)}"`;
  await seeBound(store, server, 2, (id) => webhook(id, { payload: large }));
});

test('the queue is bounded by events', async (t) => {
  const { store, server } = await startFlaky(t, { queue: { capacity: 3 } });
  await seeBound(store, server, 3, (id) => webhook(id));
});

test('the queue is bounded by bytes', async (t) => {
  const { store, server } = await startFlaky(t, { queue: { capacity_bytes: '100KiB' } });
  const large = `"${'x'.repeat(40 * 1024)}"`;
  await seeBound(store, server, 2, (id) => webhook(id, { payload: large }));
});

test('a sender is answered 503 at the deadline while its event goes on: sent again it is a duplicate', async (t) => {
  const { store, server } = await startFlaky(t, { listen: { deadline: '300ms' } });
  await store.hold();
  const begun = performance.now();
  const late = await server.post(webhook('slow'));
  const took = late.at - begun;
  assertProblem(late, 503);
  assert.ok(took >= 290 && took < 300 + 1000 * patience, `answered after ${took} ms`);
  assert.deepEqual(await store.ids(), []);
  await store.release();
  await until('the event to be stored', async () => (await store.ids()).length === 1);
  const again = await server.post(webhook('slow'));
  assert.equal(again.status, 200, again.text);
  assert.equal(again.json().status, 'duplicate');
});

test('a sender that hangs up changes nothing', async (t) => {
  const { store, server } = await startFlaky(t);
  await store.hold();
  const connection = await Connection.open(server.url);
  connection.request({ body: webhook('left behind') }).catch(() => {});
  await server.atLeast(1, 'webhook_queue_inside');
  connection.close();
  await store.release();
  await until('the event to be stored', async () => (await store.ids()).length === 1);
  await inFlightIs(server, 0);
  assert.equal((await server.post(webhook('left behind'))).status, 200);
});

test('a body that is too large is 413, announced or chunked, and one of exactly the bound is taken', async (t) => {
  const { store, server } = await startFlaky(t, { listen: { max_body: '2000' } });
  const sized = (id, size) => {
    const empty = webhook(id, { payload: '""' });
    return webhook(id, { payload: `"${'x'.repeat(size - empty.length)}"` });
  };
  assertProblem(await server.post(sized('larger', 2001)), 413);
  assert.equal((await server.post(sized('fits', 2000))).status, 202);
  for (const [id, size, expected] of [
    ['chunked-fits', 2000, 202],
    ['chunked-larger', 2001, 413],
  ]) {
    const body = sized(id, size);
    const halves = [body.slice(0, 1000), body.slice(1000)];
    const chunks = halves.map((half) => `${half.length.toString(16)}\r\n${half}\r\n`).join('');
    const response = await server.post(`${chunks}0\r\n\r\n`, { 'Transfer-Encoding': 'chunked' });
    assert.equal(response.status, expected, response.text);
  }
  // Announced and never sent.
  const connection = await Connection.open(server.url);
  connection.write('POST /webhooks HTTP/1.1\r\nHost: s\r\nContent-Length: 1000000000\r\n\r\n');
  assert.equal((await connection.response()).status, 413);
  await connection.closed;
  assert.deepEqual((await store.ids()).sort(), ['chunked-fits', 'fits']);
  await inFlightIs(server, 0);
});

test('headers that are too large are 431', async (t) => {
  const { store, server } = await startFlaky(t, { listen: { max_header: '4KiB' } });
  const one = await server.post(webhook('one'), { 'X-Large': 'x'.repeat(5000) });
  assert.equal(one.status, 431);
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`X-Many-${i}`, 'x'.repeat(60)]));
  assert.equal((await server.post(webhook('many'), many)).status, 431);
  const huge = await server.post(webhook('huge'), { 'X-Huge': 'x'.repeat(200000) }).catch((error) => error);
  assert.ok(huge instanceof Error || huge.status === 431, 'a header of 200 kB was taken');
  assert.equal((await server.post(webhook('fits'), { 'X-Fits': 'x'.repeat(3000) })).status, 202);
  assert.deepEqual(await store.ids(), ['fits']);
});

test('404, 405, 411 and 415 say what was expected, and the connection lives on', async (t) => {
  const { server } = await startFlaky(t);
  const connection = await Connection.open(server.url);
  assertProblem(await connection.request({ path: '/elsewhere', body: webhook('a') }), 404);
  const wrongMethod = await connection.request({ method: 'GET' });
  assertProblem(wrongMethod, 405);
  assert.equal(wrongMethod.headers.allow, 'POST');
  assertProblem(await connection.request({ method: 'PUT', body: webhook('a') }), 405);
  assertProblem(await connection.request({}), 411);
  const wrongCoding = await connection.request({ body: 'xxxx', headers: { 'Content-Encoding': 'br' } });
  assertProblem(wrongCoding, 415);
  assert.equal(wrongCoding.headers['accept-encoding'], 'gzip, deflate');
  assertProblem(await connection.request({ body: webhook('a'), headers: { 'Content-Type': 'text/html' } }), 415);
  const fine = await connection.request({ body: webhook('a'), headers: { 'Content-Encoding': 'identity' } });
  assert.equal(fine.status, 202);
  await server.counts('webhook_requests_total', 'status', { 404: 1, 405: 2, 411: 1, 415: 2, 202: 1 });
});

test('a body that is no JSON, or misses a field, or has one of another type, is 400 and says which', async (t) => {
  const { store, server } = await startFlaky(t);
  const cases = [
    ['', /./],
    ['{', /JSON/i],
    ['[]', /./],
    ['{"eventType":"t","payload":1}', /messageId/],
    ['{"messageId":null,"eventType":"t","payload":1}', /messageId/],
    ['{"messageId":{"id":"m"},"eventType":"t","payload":1}', /messageId/],
    ['{"messageId":1.5,"eventType":"t","payload":1}', /messageId/],
    ['{"messageId":7,"eventType":"t","payload":1}', /messageId/],
    ['{"messageId":"m","eventType":true,"payload":1}', /eventType/],
    ['{"messageId":"m","eventType":"t","payload":1,"stream":[]}', /stream/],
    ['{"messageId":"m","eventType":"t","payload":1,"sequence":"first"}', /sequence/],
    ['{"messageId":"","eventType":"t","payload":1}', /messageId/],
    ['{"messageId":"m","payload":1}', /eventType/],
    ['{"messageId":"m","eventType":"t"}', /payload/],
    [`{"messageId":"${'m'.repeat(256)}","eventType":"t","payload":1}`, /messageId/],
    ['{"messageId":"m","messageId":"n","eventType":"t","payload":1}', /duplicate|twice|messageId/i],
    [`{"messageId":"m","eventType":"t","payload":${'['.repeat(65)}${']'.repeat(65)}}`, /64 levels/],
    [Buffer.from('{"messageId":"m","eventType":"t","payload":"\xff"}', 'latin1'), /./],
    ['{"messageId":"m","eventType":"t","payload":1e999}', /./],
    ['{"messageId":"m","eventType":"t","payload":"\\ud800"}', /./],
  ];
  for (const [body, detail] of cases) {
    const response = await server.post(body);
    const problem = assertProblem(response, 400);
    assert.match(problem.detail, detail, String(body).slice(0, 80));
  }
  assert.deepEqual(await store.ids(), []);
  const odd =
    '{"messageId":"m","eventType":"t","payload":{"text":"\\u0000","huge":1e308,"long":123456789012345678901}}';
  assert.equal((await server.post(odd)).status, 202);
});

test('a body may be application/json, JSON by another name, or what curl -d sends', async (t) => {
  const { store, server } = await startFlaky(t);
  const types = [
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/cloudevents+json',
    'application/x-www-form-urlencoded',
  ];
  for (const [i, type] of types.entries())
    assert.equal((await server.post(webhook(`m-${i}`), { 'Content-Type': type })).status, 202, type);
  assert.equal((await store.ids()).length, types.length);
});

test('a request id is kept if it can be printed, and made otherwise', async (t) => {
  const { store, server } = await startFlaky(t);
  const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const ids = ['order 66', 'x'.repeat(128), '~!@#$%^&*()'];
  for (const [i, id] of ids.entries()) {
    const response = await server.post(webhook(`given-${i}`), { 'X-Request-Id': id });
    assert.equal(response.headers['x-request-id'], id);
    assert.equal(response.json().request_id, id);
  }
  for (const [i, id] of [undefined, 'x'.repeat(129), 'caf\u00e9'].entries()) {
    const response = await server.post(webhook(`made-${i}`), id === undefined ? {} : { 'X-Request-Id': id });
    assert.match(response.headers['x-request-id'], uuid7);
    assert.equal(response.json().request_id, response.headers['x-request-id']);
  }
  assert.deepEqual(
    (await store.kept()).slice(0, 3).map((line) => line.requestId),
    ids,
  );
});
