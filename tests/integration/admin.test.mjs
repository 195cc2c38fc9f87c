// The admin listener and what can be seen of a running server.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';

import { cleanup, makeDirectory } from './support/cleanup.mjs';
import { request } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { around, execute, sluice, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const buckets = [
  '0.05',
  '0.1',
  '0.25',
  '0.5',
  '1',
  '2.5',
  '5',
  '10',
  '20',
  '50',
  '100',
  '120',
  '200',
  '500',
  '1000',
  '2000',
  '+Inf',
];

async function startStore(t, kind, sections, options) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, kind, directory);
  const server = await start(t, around(store.stage(), sections), { directory, ...options });
  return { store, server };
}

// A bit of everything: 20 accepted, 5 duplicates, 1 conflict, 1 rejected, 1 that never reached the pipeline.
async function sendSome(server) {
  for (let i = 0; i < 20; i++) assert.equal((await server.post(webhook(`m-${i}`, { stream: 's' }))).status, 202);
  for (let i = 0; i < 5; i++) assert.equal((await server.post(webhook(`m-${i}`, { stream: 's' }))).status, 200);
  assert.equal((await server.post(webhook('m-0', { payload: '{"n":2}' }))).status, 422);
  assert.equal((await server.post('{')).status, 400);
  assert.equal((await request(server.url, { path: '/elsewhere', body: '' })).status, 404);
}

// As often as each stage has had what sendSome() sends.
const latencies = { auth: 27, parse: 27, idempotency: 26, queue: 20, persist: 20, total: 27 };

for (const kind of kinds) {
  test(`the metrics of the contract are there, and promtool likes them, over ${kind}`, async (t) => {
    const { server } = await startStore(t, kind);
    await sendSome(server);
    await server.counts('webhook_requests_total', 'status', { 202: 20, 200: 5, 422: 1, 400: 1, 404: 1 });
    await server.counts('webhook_events_total', 'outcome', { accepted: 20, duplicate: 5, conflict: 1, rejected: 1, failed: 0 });
    const metrics = await server.counts('webhook_http_latency_by_stage_ms_count', 'stage', latencies);

    const promtool = await execute('promtool', ['check', 'metrics'], { input: metrics.text });
    const remarks = `${promtool.stdout}${promtool.stderr}`
      .split('\n')
      .filter((line) => line && !/_ms\b.*(abbreviated|base) unit|use base unit/.test(line));
    assert.deepEqual(remarks, []);

    for (const stage of ['auth', 'parse', 'idempotency', 'queue', 'persist', 'respond', 'total']) {
      const found = metrics.all('webhook_http_latency_by_stage_ms_bucket', { stage });
      assert.deepEqual(
        found.map((sample) => sample.labels.le),
        buckets,
        stage,
      );
      const counts = found.map((sample) => sample.value);
      assert.deepEqual(
        counts,
        [...counts].sort((a, b) => a - b),
        `the buckets of ${stage} do not add up`,
      );
    }
    assert.ok(metrics.all('webhook_db_latency_ms_count').length >= 1);
    for (const sample of metrics.all('webhook_db_latency_ms_count')) assert.ok(sample.labels.operation);
    assert.ok(metrics.value('webhook_db_latency_ms_count') >= 20);
    const workers = metrics.all('webhook_worker_utilization');
    assert.deepEqual(
      workers.map((sample) => sample.labels.worker_id),
      ['0', '1', '2', '3'],
    );
    assert.ok(workers.every((sample) => sample.value >= 0 && sample.value <= 100));
    for (const name of ['webhook_queue_depth', 'webhook_in_flight', 'webhook_in_flight_bytes'])
      assert.equal(metrics.all(name).length, 1, name);
    await until('nothing in flight', async () => (await server.metrics()).value('webhook_in_flight') === 0);
    const [info] = metrics.all('webhook_pipeline_info');
    assert.equal(info.labels.pipeline, 'test');
    assert.equal(info.labels.optimizations, '');
    assert.match(info.labels.generation, /^\d+$/);
    assert.match(info.labels.sha256, /^[0-9a-f]{64}$/);
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_open_fds',
      'process_max_fds',
    ])
      assert.ok(metrics.value(name) > 0, name);
    if (kind === 'postgres') {
      const states = metrics.all('webhook_db_pool_connections').map((sample) => sample.labels.state);
      assert.deepEqual(states.sort(), ['busy', 'idle', 'waiting']);
    }
  });
}

test('queue depth and events in flight are what is inside', async (t) => {
  const directory = await makeDirectory(t);
  const store = new Flaky(directory);
  const server = await start(t, around(store.stage(), { queue: { workers: 2 } }), { directory });
  await store.hold();
  const responses = Array.from({ length: 10 }, (_, i) => request(server.url, { body: webhook(`held-${i}`) }));
  const metrics = await until('ten in flight, two of them with the workers', async () => {
    const now = await server.metrics();
    return now.value('webhook_in_flight') === 10 && now.value('webhook_queue_depth') === 8 && now;
  });
  assert.ok(metrics.value('webhook_in_flight_bytes') > 0);
  await store.release();
  for (const response of await Promise.all(responses)) assert.equal(response.status, 202);
  await until('nothing inside', async () => {
    const now = await server.metrics();
    return now.value('webhook_in_flight') === 0 && now.value('webhook_queue_depth') === 0;
  });
});

test('health, stats and the pipeline are JSON that says what runs', async (t) => {
  const optimizations = { faster: { listen: { threads: 3 } }, slower: { listen: { threads: 1 } }, more: { events: { max: 500 } } };
  const { server } = await startStore(t, 'sqlite', { listen: { health: true }, optimizations, enable: ['faster', 'more'] });
  await sendSome(server);
  await server.counts('webhook_http_latency_by_stage_ms_count', 'stage', latencies);
  const health = await server.ask('/api/health');
  assert.deepEqual([health.status, health.json()], [200, { status: 'ok' }]);
  const open = await request(server.url, { method: 'GET', path: '/api/health' });
  assert.deepEqual([open.status, open.json()], [200, { status: 'ok' }]);

  const stats = (await server.ask('/api/stats')).json();
  assert.equal(stats.pipeline, 'test');
  assert.match(stats.version, /^\d+\.\d+\.\d+/);
  assert.equal(stats.generation, 1);
  assert.deepEqual(stats.optimizations, ['faster', 'more']);
  assert.match(server.log, /generation_published generation=1 pipeline=test version=[\d.]+ optimizations=faster,more sha256=/);
  const persist = stats.stages.find(({ stage }) => stage === 'persist');
  assert.equal(persist.since_start.whole.count, 20);
  assert.equal(persist.last_10s.whole.count, 20);
  for (const {
    since_start: { whole },
  } of stats.stages)
    assert.ok(whole.p50_ms <= whole.p95_ms && whole.p95_ms <= whole.p99_ms);

  const pipeline = (await server.ask('/api/pipeline')).json();
  assert.deepEqual(
    pipeline.stages.map(({ kind }) => kind),
    ['auth', 'parse', 'idempotency', 'queue', 'persist'],
  );
  for (const stage of pipeline.stages) assert.match(stage.sha256, /^[0-9a-f]{64}$/);
  const info = (await server.metrics()).all('webhook_pipeline_info')[0];
  assert.equal(pipeline.sha256, info.labels.sha256);
  assert.deepEqual([info.labels.generation, info.labels.optimizations], ['1', 'faster,more']);

  assert.equal((await server.ask('/nothing')).status, 404);
  assert.equal((await server.ask('/metrics', { method: 'POST', body: '' })).status, 405);
  const status = await sluice(['status', '--admin', server.admin]);
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /persist/);
  assert.match(status.stdout, /^pipeline {4}test, generation 1, sluice [\d.]+, up \d+ s\noverlays {4}faster, more\n/);
  assert.equal(JSON.parse((await sluice(['status', '--admin', server.admin, '--json'])).stdout).pipeline, 'test');
});

test('the lineage of a request is found by its id, as JSON and as text', async (t) => {
  const { server } = await startStore(t, 'sqlite');
  await server.post(webhook('m 1'), { 'X-Request-Id': 'request/1' });
  const path = `/api/lineage/${encodeURIComponent('request/1')}`;
  const found = await until('the lineage', async () => {
    const response = await server.ask(path);
    return response.status === 200 && response;
  });
  const lineage = found.json();
  assert.equal(lineage.request_id, 'request/1');
  assert.equal(lineage.message_id, 'm 1');
  const steps = ['ingress', 'auth', 'parse', 'idempotency', 'queue', 'persist', 'response'];
  assert.deepEqual(
    lineage.stages.map(({ stage }) => stage),
    steps,
  );
  const sum = lineage.stages.reduce((total, { took_ms: took }) => total + took, 0);
  assert.ok(Math.abs(sum - lineage.total_ms) < 0.02, `the steps add up to ${sum} ms of ${lineage.total_ms}`);
  const text = (await server.ask(path, { headers: { Accept: 'text/plain' } })).text;
  assert.match(text, /^request_id: request\/1\n  ├─ ingress: \d\d:\d\d:\d\d\.\d+ \(0ms\)\n/);
  assert.match(text, /\n  └─ response: .* \(\+\d+(ms|µs)\)\n  TOTAL: \d+(ms|µs)\n$/);
  assert.equal((await sluice(['lineage', 'request/1', '--admin', server.admin])).stdout, text);
  assert.equal((await server.ask('/api/lineage/unknown')).status, 404);
  assert.equal((await sluice(['lineage', 'unknown', '--admin', server.admin])).code, 1);
});

test('Server-Timing has an entry per stage that ran, in milliseconds, if it is asked for', async (t) => {
  const { server } = await startStore(t, 'sqlite', { listen: { server_timing: true } });
  const accepted = await server.post(webhook('m'));
  const entries = (accepted.headers['server-timing'] ?? '').split(', ').map((entry) => entry.split(';'));
  assert.deepEqual(
    entries.map(([name]) => name),
    ['auth', 'parse', 'idempotency', 'queue', 'persist', 'total'],
  );
  for (const [, duration] of entries) assert.match(duration, /^dur=\d+\.\d+$/);
  const rejected = await server.post('{');
  assert.match(rejected.headers['server-timing'], /^auth;dur=.*, parse;dur=/);
  const { server: silent } = await startStore(t, 'sqlite');
  assert.equal((await silent.post(webhook('m'))).headers['server-timing'], undefined);
});

test('ENABLE_LATENCY_PROFILING=true logs a LATENCY_PROFILE line per request', async (t) => {
  const { server } = await startStore(t, 'sqlite', {}, { env: { ENABLE_LATENCY_PROFILING: 'true' } });
  for (let i = 0; i < 10; i++) await server.post(webhook(`m-${i}`), { 'X-Request-Id': `r-${i}` });
  await server.stop();
  const profiles = server.log
    .match(/^LATENCY_PROFILE: .*$/gm)
    .map((line) => JSON.parse(line.slice('LATENCY_PROFILE: '.length)));
  assert.deepEqual(
    profiles.map(({ requestId }) => requestId).sort(),
    Array.from({ length: 10 }, (_, i) => `r-${i}`),
  );
  for (const { requestId, messageId, stages, total } of profiles) {
    assert.equal(messageId, requestId.replace('r', 'm'));
    for (const name of ['auth', 'parse', 'idempotency', 'queue', 'persist'])
      assert.equal(typeof stages[name], 'number');
    const sum = Object.values(stages).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - total) < 0.02, `${sum} of ${total} ms`);
  }
});

test('run --trace FILE writes a record per request', async (t) => {
  const directory = await makeDirectory(t);
  const file = join(directory, 'requests.bin');
  const store = new Flaky(directory);
  const server = await start(t, around(store.stage()), { directory, args: ['--trace', file] });
  await sendSome(server);
  await server.stop();
  const trace = await readFile(file);
  assert.equal(trace.toString('latin1', 0, 8), 'SLUICETR');
  const [headerSize, recordSize] = [trace.readUInt32LE(12), trace.readUInt32LE(16)];
  assert.equal((trace.length - headerSize) % recordSize, 0);
  const statuses = {};
  for (let at = headerSize; at < trace.length; at += recordSize) {
    const status = trace.readUInt16LE(at + 48);
    statuses[status] = (statuses[status] ?? 0) + 1;
    assert.ok(trace.readBigInt64LE(at + 16) >= trace.readBigInt64LE(at), 'answered before it came');
  }
  assert.deepEqual(statuses, { 200: 5, 202: 20, 400: 1, 404: 1, 422: 1 });
});

test('the admin listener requires its token if it has one, and must have one where others can reach it', async (t) => {
  const token = 'open-sesame-4711';
  const { server } = await startStore(t, 'sqlite', { admin: { token: '${TOKEN}' } }, { env: { TOKEN: token } });
  for (const path of ['/metrics', '/api/health', '/api/stats', '/api/pipeline', '/nothing']) {
    assert.equal((await server.ask(path)).status, 401, path);
    assert.equal((await server.ask(path, { headers: { Authorization: `Bearer ${token}x` } })).status, 401, path);
    assert.equal((await server.ask(path, { headers: { Authorization: `Basic ${token}` } })).status, 401, path);
  }
  const headers = { Authorization: `Bearer ${token}` };
  for (const path of ['/metrics', '/api/health', '/api/pipeline'])
    assert.equal((await server.ask(path, { headers })).status, 200, path);
  assert.ok(!(await server.ask('/api/pipeline', { headers })).text.includes(token));

  const refused = await sluice(['run', server.file, '--set', 'admin.address=0.0.0.0', '--set', 'admin.token='], {
    env: { TOKEN: token },
    seconds: 10,
  });
  assert.equal(refused.code, 2, refused.stdout);
  assert.match(refused.stderr, /token/);
});

test('the pool is logged as often as asked', async (t) => {
  const { server } = await startStore(
    t,
    'postgres',
    { observability: { pool_stats: '1s' } },
    { args: ['--log-format', 'json'] },
  );
  const line = await until('db_pool_stats', () =>
    server.log.split('\n').find((each) => each.includes('"db_pool_stats"')),
  );
  assert.equal(typeof JSON.parse(line), 'object');
});

test('sluice status shows what others chose and obeys none of it', async (t) => {
  const harm = '\u001b[2J\u009b31m\u202e\nfake line';
  const stats = {
    pipeline: harm,
    version: harm,
    optimizations: [harm],
    health: { status: harm, reasons: [harm] },
    requests: { [harm]: 1 },
    events: { [harm]: 1 },
    stages: [{ stage: harm, use: harm }],
  };
  const server = createServer((_, response) => response.end(JSON.stringify(stats)));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup(t, () => server.close());
  for (const flags of [[], ['--json']]) {
    const { stdout } = await sluice(['status', '--admin', `http://127.0.0.1:${server.address().port}`, ...flags]);
    assert.doesNotMatch(stdout, /[\u001b\u009b\u202e]/);
    assert.doesNotMatch(stdout, /^fake line/m);
    assert.match(stdout, /\\u001b\[2J\\u009b31m\\u202e/);
  }
});
