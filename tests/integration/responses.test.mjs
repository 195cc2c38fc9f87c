// What a stage sees of a request, and what of its own goes out with the response.

import assert from 'node:assert/strict';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { request } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { around, fixture, start } from './support/sluice.mjs';
import { until } from './support/wait.mjs';

// A server whose auth stage does what the X-Do fields of a request say: tests/fixtures/stages/scripted_auth.c.
async function startScripted(t, sections) {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const pipeline = around(store.stage(), { auth: { auth: fixture('auth', 'scripted') }, ...sections });
  return { store, server: await start(t, pipeline, { directory }) };
}

async function describe(server, headers, path = '/webhooks') {
  const response = await request(server.url, { path, headers: { 'X-Do': 'describe', ...headers }, body: '{}' });
  assert.equal(response.status, 200, response.text);
  const lines = response.text.split('\n').slice(0, -1);
  const facts = lines.filter((line) => !line.startsWith('> ')).map((line) => line.split(/: (.*)/).slice(0, 2));
  return { ...Object.fromEntries(facts), fields: lines.filter((line) => line.startsWith('> ')) };
}

const forwarded = {
  'X-Forwarded-For': '198.51.100.9, 203.0.113.7',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'hooks.example.com',
};

test('a stage sees the address behind a trusted proxy', async (t) => {
  const { server } = await startScripted(t, { listen: { trusted_proxies: ['127.0.0.0/8', '10.0.0.0/8'] } });
  const plain = await describe(server, {}, '/webhooks?id=%2F1&b');
  assert.equal(plain.client_address, '127.0.0.1');
  assert.deepEqual([plain.scheme, plain.authority, plain.path, plain.query], ['http', 'sluice', '/webhooks', 'id=%2F1&b']);
  assert.equal(plain.public_url, undefined);
  const { client_address: client, scheme, authority } = await describe(server, forwarded);
  assert.deepEqual([client, scheme, authority], ['203.0.113.7', 'https', 'hooks.example.com']);
  const standard = 'for=198.51.100.9;host=evil.example, for="[2001:db8::7]:4711";proto=https, for=10.0.0.2';
  const seen = await describe(server, { Forwarded: standard });
  assert.deepEqual([seen.client_address, seen.scheme, seen.authority], ['2001:db8::7', 'https', 'sluice']);
  for (const forged of ['unknown', '203.0.113.7, unknown', '198.51.100.9, "'])
    assert.equal((await describe(server, { 'X-Forwarded-For': forged })).client_address, undefined, forged);
});

test('a stage sees the peer itself where no proxy is trusted', async (t) => {
  const { server } = await startScripted(t, { listen: { trusted_proxies: ['10.0.0.0/8'] } });
  const { client_address: client, scheme, authority } = await describe(server, forwarded);
  assert.deepEqual([client, scheme, authority], ['127.0.0.1', 'http', 'sluice']);
});

test('a stage sees the public URL before what a proxy says', async (t) => {
  const listen = { trusted_proxies: ['127.0.0.1'], public_url: 'https://public.example:8443/in' };
  const { server } = await startScripted(t, { listen });
  const seen = await describe(server, forwarded);
  assert.equal(seen.public_url, 'https://public.example:8443/in');
  assert.deepEqual([seen.scheme, seen.authority, seen.path], ['https', 'public.example:8443', '/webhooks']);
  assert.equal(seen.client_address, '203.0.113.7');
});

test('a stage sees every line of a repeated header field, in order', async (t) => {
  const { server } = await startScripted(t);
  const { fields } = await describe(server, { 'X-Sig': ['one', 'two, three'], Other: 'x', 'x-sig': ['four', 'one'] });
  const expected = ['X-Sig: one', 'X-Sig: two, three', 'Other: x', 'x-sig: four', 'x-sig: one'];
  assert.deepEqual(
    fields.filter((line) => /^> (x-sig|other):/i.test(line)),
    expected.map((line) => `> ${line}`),
  );
});

test('a stage responds itself, and nothing is stored', async (t) => {
  const { server, store } = await startScripted(t);
  const asked = { 'X-Do': ['set X-Hook: yes', 'respond 200 challenge 4711'], 'X-Request-Id': 'r-1' };
  const answered = await server.post(webhook('m-1'), asked);
  assert.equal(answered.status, 200);
  assert.equal(answered.text, 'challenge 4711');
  assert.equal(answered.headers['content-type'], 'text/plain');
  assert.equal(answered.headers['x-request-id'], 'r-1');
  assert.equal(answered.headers['x-hook'], 'yes');
  const refused = await server.post(webhook('m-1'), { 'X-Do': 'respond 403 go away' });
  assert.deepEqual([refused.status, refused.text], [403, 'go away']);
  assert.equal((await server.post(webhook('m-1'))).status, 202);
  assert.deepEqual(await store.ids(), ['m-1']);
  await server.counts('webhook_events_total', 'outcome', { answered: 1, rejected: 1, accepted: 1, failed: 0 });
  const lineage = await until('the lineage', async () => {
    const response = await server.ask('/api/lineage/r-1');
    return response.status === 200 && response.json();
  });
  assert.equal(lineage.outcome, 'answered');
});

test('the header fields of a stage go out with any response and replace the defaults', async (t) => {
  const { server } = await startScripted(t, { listen: { retry_after: '3s' } });
  const ask = (...steps) => server.post(webhook('m-1'), { 'X-Do': steps });
  const limited = await ask('set Retry-After: 30', 'reject 429');
  assert.deepEqual([limited.status, limited.headers['retry-after']], [429, '30']);
  const challenged = await ask('unauthorized Bearer realm="hooks"');
  assert.deepEqual([challenged.status, challenged.headers['www-authenticate']], [401, 'Bearer realm="hooks"']);
  const plain = await ask('reject 401');
  assert.deepEqual([plain.status, plain.headers['www-authenticate']], [401, 'Signature']);
  const away = await ask('set Retry-After: 99', 'retry 5000');
  assert.deepEqual([away.status, away.headers['retry-after']], [503, '99']);
  for (const [ms, seconds] of [[0, '3'], [1000, '3'], [4001, '5']])
    assert.equal((await ask(`retry ${ms}`)).headers['retry-after'], seconds, `${ms} ms`);
  const accepted = await ask('set X-Hook: yes');
  assert.deepEqual([accepted.status, accepted.headers['x-hook']], [202, 'yes']);
  assert.equal((await ask('set Content-Length: 1')).status, 500);
});

test('a 503 for a deadline that has passed has nothing of a stage', async (t) => {
  const { server, store } = await startScripted(t, { listen: { deadline: '200ms' } });
  await store.hold();
  const late = await server.post(webhook('m-1'), { 'X-Do': ['set X-Hook: yes', 'set Retry-After: 99'] });
  assert.equal(late.status, 503);
  assert.deepEqual([late.headers['x-hook'], late.headers['retry-after']], [undefined, '1']);
  await store.release();
  await until('the event to be stored', async () => (await store.ids()).length === 1);
});

test('the credential that matched is counted and in the lineage', async (t) => {
  const { server } = await startScripted(t);
  const use = (label, id) => server.post(webhook(id), { 'X-Do': `credential ${label}`, 'X-Request-Id': id });
  for (let i = 0; i < 3; i++) assert.equal((await use('new', `n-${i}`)).status, 202);
  assert.equal((await use('old', 'o-0')).status, 202);
  assert.equal((await server.post(webhook('x'))).status, 202);
  const name = 'webhook_auth_credentials_total';
  const metrics = await server.counts(name, 'credential', { new: 3, old: 1 });
  assert.equal(metrics.value(name), 4);
  const lineage = await until('the lineage', async () => {
    const response = await server.ask('/api/lineage/o-0');
    return response.status === 200 && response.json();
  });
  assert.equal(lineage.credential, 'old');
  assert.match((await server.ask('/api/lineage/o-0?format=text')).text, /├─ auth: .* \[old\]\n/);
  for (let i = 0; i < 100; i++) assert.equal((await use(`user-${i}`, `u-${i}`)).status, 202);
  const crowded = await server.counts(name, 'credential', { other: 38 });
  assert.equal(crowded.all(name).length, 65);
  assert.equal(crowded.value(name), 104);
});
