// Bodies that are no single object of JSON: forms, batches, compressed ones, CloudEvents as the official SDK sends them; ids that
// are joined; and retries that differ from what they repeat.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import test from 'node:test';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

import { CloudEvent, HTTP } from 'cloudevents';

import { makeDirectory } from './support/cleanup.mjs';
import { around, root, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';

const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const text = (row) => Buffer.from(row.payload, 'hex').toString();
const sorted = (rows) => rows.map((row) => row.message_id).sort();

async function startWith(t, kind, parse, sections) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, kind, directory);
  const server = await start(t, around(store.stage(), { parse, ...sections }), { directory });
  return { store, server };
}

test('GitHub may send forms or JSON: both are verified as sent, and the payload is the JSON', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const secret = 's3cret';
  const server = await start(t, join(root, 'pipelines/github.yaml'), {
    directory,
    env: { WEBHOOK_SECRET: secret },
    args: ['--set', `persist.path=${store.path}`],
  });
  const payload = JSON.stringify({ zen: 'Keep it logically awesome. 100 %+', repository: { full_name: 'o/r' } });
  const bodies = { form: new URLSearchParams({ payload }).toString(), json: payload };
  for (const [id, body] of Object.entries(bodies)) {
    const headers = {
      'Content-Type': id === 'form' ? form['Content-Type'] : 'application/json',
      'X-GitHub-Delivery': id,
      'X-GitHub-Event': 'ping',
      'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    };
    assert.equal((await server.post(body, headers)).status, 202);
    assert.equal((await server.post(body, headers)).status, 200);
    assert.equal((await server.post(`${body} `, headers)).status, 401);
  }
  for (const row of await store.events()) {
    assert.equal(text(row), payload);
    assert.equal(row.stream, 'o/r');
  }
});

test("a command of Slack's is a form whose fields are sources", async (t) => {
  const { store, server } = await startWith(t, 'sqlite', {
    parse: 'form',
    message_id: 'form:trigger_id',
    event_type: 'form:command',
    payload: '',
    stream: 'form:channel_id',
    sequence: [],
  });
  const body = 'token=x&channel_id=C1&command=%2Fweather&text=94070+NYC&trigger_id=13345224609.738474920';
  assert.equal((await server.post(body, form)).status, 202);
  const [row] = await store.events();
  assert.equal(row.message_id, '13345224609.738474920');
  assert.equal(row.event_type, '/weather');
  assert.equal(row.stream, 'C1');
  assert.equal(text(row), body);
});

test('what parse/json refuses names the way out', async (t) => {
  const { server } = await startWith(t, 'sqlite', {});
  assert.match((await server.post('payload=%7B%7D', form)).json().detail, /parse: form/);
  const plain = await server.post('{}', { 'Content-Type': 'text/plain' });
  assert.equal(plain.status, 415);
  assert.equal(plain.headers.accept, 'application/json');
  assert.match(plain.json().detail, /text\/plain.*media_types/);
});

const event = (id, more) => ({ messageId: id, eventType: 't', payload: 1, ...more });

test('compressed bodies are inflated, whatever the sender calls them, up to listen.max_body', async (t) => {
  const { store, server } = await startWith(t, 'sqlite', {}, { listen: { max_body: '64KiB' } });
  const packers = { gzip: gzipSync, 'x-gzip': gzipSync, deflate: deflateSync, Deflate: deflateRawSync };
  for (const [coding, pack] of Object.entries(packers)) {
    const body = JSON.stringify(event(coding, { payload: 'a'.repeat(50000) }));
    const headers = { 'Content-Encoding': coding };
    assert.equal((await server.post(pack(body), headers)).status, 202, coding);
    assert.equal((await server.post(pack(body, { level: 1 }), headers)).status, 200, coding);
    assert.equal((await server.post(body)).status, 200, coding);
  }
  assert.deepEqual(sorted(await store.events()), Object.keys(packers).sort());

  const gzip = { 'Content-Encoding': 'gzip' };
  const bomb = await server.post(gzipSync(Buffer.alloc(32 * 1024 * 1024)), gzip);
  assert.equal(bomb.status, 413);
  assert.equal((await server.post('{}', gzip)).status, 400);
  for (const coding of ['br', 'gzip, gzip']) {
    const refused = await server.post('{}', { 'Content-Encoding': coding });
    assert.equal(refused.status, 415);
    assert.equal(refused.headers['accept-encoding'], 'gzip, deflate');
  }
});

for (const [inflate, signed] of [
  ['after_auth', (body) => gzipSync(body)],
  ['before_auth', (body) => body],
]) {
  test(`with inflate: ${inflate} the signature is over what it says`, async (t) => {
    const auth = { auth: 'hmac', scheme: 'github', secrets: ['s3cret'] };
    const { server } = await startWith(t, 'sqlite', {}, { auth, listen: { inflate } });
    const post = (body, over) =>
      server.post(gzipSync(body), {
        'Content-Encoding': 'gzip',
        'X-Hub-Signature-256': `sha256=${createHmac('sha256', 's3cret').update(over).digest('hex')}`,
      });
    const body = JSON.stringify(event('1'));
    assert.equal((await post(body, signed(body))).status, 202);
    assert.equal((await post(body, inflate === 'after_auth' ? body : gzipSync(body))).status, 401);
  });
}

test('with inflate: never a compressed body is refused', async (t) => {
  const { server } = await startWith(t, 'sqlite', {}, { listen: { inflate: 'never' } });
  const refused = await server.post(gzipSync('{}'), { 'Content-Encoding': 'gzip' });
  assert.equal(refused.status, 415);
  assert.equal(refused.headers['accept-encoding'], 'identity');
});

for (const kind of kinds) {
  test(`each element of an array is an event of its own in ${kind}, and the whole is sent again`, async (t) => {
    const parse = { message_id: '/id', event_type: '/type', payload: '', stream: '/stream', sequence: [], batch: '' };
    const { store, server } = await startWith(t, kind, parse);
    const item = (id, stream) => ({ id, type: 'open', stream });
    const batch = JSON.stringify([item('1', 's'), item('2', 's'), item('3'), item('4', 's')]);

    await store.refuse('poison');
    const failed = await server.post(batch, { 'X-Request-Id': 'poison' });
    assert.equal(failed.status, 500);
    assert.match(failed.json().detail, /^4 of 4 events not stored; event 1: /);
    await store.accept();

    const first = await server.post(batch, { 'X-Request-Id': 'batch-1' });
    assert.equal(first.status, 202);
    assert.deepEqual(first.json(), {
      status: 'accepted',
      request_id: 'batch-1',
      events: ['1', '2', '3', '4'].map((message_id) => ({ status: 'accepted', message_id })),
      ack: 'stored',
    });
    assert.equal((await server.post(batch, { 'X-Request-Id': 'batch-2' })).status, 200);
    const some = await server.post(JSON.stringify([item('4', 's'), {}, item('5', 's')]));
    assert.equal(some.status, 400);
    assert.deepEqual(
      some.json().events.map(({ status }) => status),
      ['duplicate', 'rejected', 'accepted'],
    );
    assert.match(some.json().detail, /^1 of 3 events not stored; event 2: id: expected a non-empty string, got nothing$/);

    const rows = await store.events();
    assert.deepEqual(sorted(rows), ['1', '2', '3', '4', '5']);
    assert.deepEqual(
      rows.filter((row) => row.stream === 's').map((row) => row.message_id),
      ['1', '2', '4', '5'],
    );
    assert.equal(text(rows.find((row) => row.message_id === '3')), JSON.stringify(item('3')));
    const metrics = await server.counts('webhook_events_total', 'outcome', { accepted: 5, duplicate: 5, rejected: 1, failed: 4 });
    assert.equal(metrics.value('webhook_requests_total', { status: '202' }), 1);

    const whole = (await server.ask('/api/lineage/batch-1?format=json')).json();
    assert.equal(whole.events, 4);
    const one = (await server.ask('/api/lineage/2?format=json')).json();
    assert.equal(one.event, 2);
    assert.equal(one.events, 4);
    assert.equal(one.request_id, 'batch-2'); // the last that had it
    assert.equal(one.outcome, 'duplicate');
  });

  test(`a retry that differs from what ${kind} has is a duplicate where it may differ`, async (t) => {
    const parse = { message_id: '/id', event_type: '/type', payload: '', stream: [], sequence: [] };
    const attempt = (n, data = 'x') => JSON.stringify({ id: 'evt_1', type: 'ready', attempts: n, data: { id: data } });
    const { store, server } = await startWith(t, kind, { ...parse, sameness: ['/data', '/id'] });
    assert.equal((await server.post(attempt(0))).status, 202);
    assert.equal((await server.post(attempt(1))).status, 200);
    assert.equal((await server.post(attempt(0))).status, 200);
    assert.equal((await server.post(attempt(1, 'y'))).status, 422);
    await server.stop();

    const directory = server.directory;
    const again = await start(t, around(store.stage(), { parse: { ...parse, sameness: ['/data'] } }), { directory });
    assert.equal((await again.post(attempt(2))).status, 200);
    assert.equal((await again.post(attempt(3, 'y'))).status, 422);
    await again.stop();

    const lenient = await start(t, around(store.stage(), { parse: { ...parse, sameness: 'first-wins' } }), { directory });
    assert.equal((await lenient.post(attempt(4, 'y'))).status, 200);
    assert.equal((await lenient.post(attempt(0))).status, 200);
    await lenient.stop();

    const strict = await start(t, around(store.stage(), { parse }), { directory });
    assert.equal((await strict.post(attempt(0))).status, 200);
    assert.equal((await strict.post(attempt(1))).status, 422);
    const rows = await store.events();
    assert.equal(rows.length, 1);
    assert.equal(text(rows[0]), attempt(0));
  });

  test(`of 20 retries at once that differ, one is stored in ${kind} and all are answered 2xx`, async (t) => {
    const parse = { message_id: '/id', event_type: [], payload: '', stream: [], sequence: [], sameness: 'first-wins' };
    const { store, server } = await startWith(t, kind, parse);
    const release = await store.lock(t);
    const posts = Array.from({ length: 20 }, (_, attempt) => server.post(JSON.stringify({ id: 'e', attempt })));
    await server.atLeast(19, 'webhook_idempotency_waiting');
    await release();
    const statuses = (await Promise.all(posts)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [...Array(19).fill(200), 202]);
    assert.equal((await store.events()).length, 1);
  });
}

const cloud = (id, more) => new CloudEvent({ id, source: '/studio/web', type: 'order.paid', data: { total: 12 }, ...more });

test('CloudEvents arrive as the official SDK sends them, structured, binary and in batches', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, join(root, 'pipelines/cloudevents.yaml'), {
    directory,
    args: ['--set', `persist.path=${store.path}`],
  });
  const post = ({ headers, body }) => server.post(body ?? '', headers);

  assert.equal((await post(HTTP.structured(cloud('1')))).status, 202);
  assert.equal((await post(HTTP.binary(cloud('2', { partitionkey: 'k' })))).status, 202);
  assert.equal((await post(HTTP.binary(cloud('3', { datacontenttype: 'text/xml', data: '<a/>' })))).status, 202);
  assert.equal((await post(HTTP.binary(cloud('4', { data: [1, 2] })))).status, 202);
  assert.equal((await post(HTTP.binary(cloud('5', { data: undefined })))).status, 202);
  // The same event in the other mode, and at another time.
  assert.equal((await post(HTTP.binary(cloud('1', { time: new Date(0).toISOString() })))).status, 200);
  assert.equal((await post(HTTP.structured(cloud('3')))).status, 200);
  // The same id of another source is another event.
  assert.equal((await post(HTTP.binary(cloud('1', { source: '/lms/web' })))).status, 202);
  const batch = [cloud('1'), cloud('6'), cloud('7')].map((each) => JSON.parse(HTTP.structured(each).body));
  const headers = { 'Content-Type': 'application/cloudevents-batch+json' };
  const answer = await server.post(JSON.stringify(batch), headers);
  assert.equal(answer.status, 202);
  assert.deepEqual(
    answer.json().events.map(({ status }) => status),
    ['duplicate', 'accepted', 'accepted'],
  );
  assert.equal((await server.post('[]', headers)).status, 200);

  const rows = await store.events();
  const ids = ['1', '2', '3', '4', '5', '6', '7'].map((id) => `/studio/web ${id}`);
  assert.deepEqual(sorted(rows), ['/lms/web 1', ...ids]);
  const row = (id) => rows.find(({ message_id }) => message_id === `/studio/web ${id}`);
  assert.equal(JSON.parse(text(row('1'))).data.total, 12);
  assert.equal(text(row('2')), '{"total":12}');
  assert.equal(row('2').stream, 'k');
  assert.equal(row('2').event_type, 'order.paid');
  assert.equal(text(row('3')), '<a/>');
  assert.equal(text(row('4')), '[1,2]');
  assert.equal(JSON.parse(text(row('6'))).id, '6');
});
