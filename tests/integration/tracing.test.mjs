// Traces: what a collector gets, decoded by the official JavaScript package.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import test from 'node:test';

import { cleanup, makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { around, build, execute, sluice, start, writePipeline } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const require = createRequire(import.meta.url);
const proto = require('@opentelemetry/otlp-transformer/build/src/generated/root.js').opentelemetry.proto;
const Request = proto.collector.trace.v1.ExportTraceServiceRequest;

const idNames = ['traceId', 'spanId', 'parentSpanId'];

// In JSON, ids are in hexadecimal, which the package's own reader of objects knows only as bytes.
function withBytes(value) {
  if (Array.isArray(value)) return value.map(withBytes);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      idNames.includes(name) ? Buffer.from(member, 'hex') : withBytes(member),
    ]),
  );
}

function withHex(value) {
  if (Array.isArray(value)) return value.map(withHex);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      idNames.includes(name) ? Buffer.from(member).toString('hex') : withHex(member),
    ]),
  );
}

/** The spans of a message, after it has been through the official encoder and decoder; nothing of it is unknown to them. */
function decode(body) {
  const sent = JSON.parse(body);
  const object = withBytes(sent);
  const decoded = Request.decode(Request.encode(Request.fromObject(object)).finish());
  const back = withHex(Request.toObject(decoded, { longs: String }));
  assert.deepEqual(JSON.parse(JSON.stringify(back)), sent);
  return sent.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, resource }))),
  );
}

async function startCollector(t) {
  const collector = { spans: [], requests: [], statuses: [] };
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (bytes) => parts.push(bytes));
    request.on('end', () => {
      collector.requests.push({ url: request.url, headers: request.headers });
      const status = collector.statuses.shift() ?? 200;
      if (status === 200) collector.spans.push(...decode(Buffer.concat(parts).toString()));
      response.writeHead(status, { 'Content-Type': 'application/json', ...(status === 503 && { 'Retry-After': '1' }) });
      response.end('{}');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  cleanup(t, () => new Promise((done) => (server.closeAllConnections?.(), server.close(done))));
  collector.url = `http://127.0.0.1:${server.address().port}/v1/traces`;
  return collector;
}

async function startTraced(t, otlp, sections = {}) {
  const collector = await startCollector(t);
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const observability = { otlp: { url: collector.url, every: '20ms', ...otlp } };
  const server = await start(t, around(store.stage(), { ...sections, observability }), { directory });
  return { collector, server };
}

const trace = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';
const traceparent = (flags) => `00-${trace}-${parent}-${flags}`;
const attributes = (span) =>
  Object.fromEntries(span.attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));

const nanoseconds = (text) => {
  const [, whole, fraction] = /^(.*)\.(\d{6})Z$/.exec(text);
  return BigInt(Date.parse(`${whole}Z`)) * 1_000_000n + BigInt(fraction) * 1_000n;
};

test('a trace has the stages of the lineage, with the same times', async (t) => {
  const { collector, server } = await startTraced(t, { headers: ['Authorization: Bearer s3cret'], service: 'hooks' });
  const response = await server.post(webhook('m-1', { stream: 's' }), { traceparent: traceparent('01') });
  assert.equal(response.status, 202);
  await until('the spans', () => collector.spans.length >= 7);
  const root = collector.spans.find(({ kind }) => kind === 2);
  const children = collector.spans.filter(({ kind }) => kind === 1);
  assert.deepEqual([root.traceId, root.parentSpanId, root.name], [trace, parent, 'POST /webhooks']);
  assert.ok(children.every((span) => span.traceId === trace && span.parentSpanId === root.spanId));
  assert.equal(new Set(collector.spans.map(({ spanId }) => spanId)).size, collector.spans.length);
  assert.equal(response.headers.traceparent, `00-${trace}-${root.spanId}-01`);
  assert.equal(response.headers.traceresponse, response.headers.traceparent);
  const seen = attributes(root);
  assert.equal(seen['http.response.status_code'], 202);
  assert.equal(seen['sluice.message_id'], 'm-1');
  assert.equal(seen['sluice.request_id'], response.headers['x-request-id']);
  assert.equal(attributes(root.resource)['service.name'], 'hooks');
  assert.equal(collector.requests[0].url, '/v1/traces');
  assert.equal(collector.requests[0].headers.authorization, 'Bearer s3cret');

  const lineage = (await server.ask('/api/lineage/m-1?format=json')).json();
  assert.equal(lineage.trace_id, trace);
  const steps = lineage.stages.slice(1);
  assert.deepEqual(
    children.map(({ name }) => name),
    steps.map(({ stage }) => stage),
  );
  const near = (a, b, what) => assert.ok(a - b < 2000n && b - a < 2000n, `${what}: ${a} and ${b}`);
  near(BigInt(root.startTimeUnixNano), nanoseconds(lineage.received_at), 'the start');
  for (const [i, step] of steps.entries()) {
    near(BigInt(children[i].endTimeUnixNano), nanoseconds(step.at), `the end of ${step.stage}`);
    assert.equal(children[i].startTimeUnixNano, i ? children[i - 1].endTimeUnixNano : root.startTimeUnixNano);
    const took = BigInt(children[i].endTimeUnixNano) - BigInt(children[i].startTimeUnixNano);
    near(took, BigInt(Math.round(step.took_ms * 1e6)), `the time of ${step.stage}`);
    if (step.work_ms !== undefined)
      near(BigInt(attributes(children[i])['sluice.work_ns']), BigInt(Math.round(step.work_ms * 1e6)), `the work of ${step.stage}`);
  }
  const stored = attributes(children.find(({ name }) => name === 'persist'));
  const { spans } = steps.find(({ stage }) => stage === 'persist');
  for (const [name, ms] of Object.entries(spans))
    near(BigInt(stored[`sluice.${name}_ns`]), BigInt(Math.round(ms * 1e6)), `the part ${name} of persist`);
  assert.equal(children.at(-1).endTimeUnixNano, root.endTimeUnixNano);
});

test('refused and failed requests have a span as well', async (t) => {
  const { collector, server } = await startTraced(t, {});
  assert.equal((await server.post('no JSON')).status, 400);
  assert.equal((await server.ask('/')).status, 404);
  await server.post('{}', { 'Content-Encoding': 'br' });
  await until('three requests', () => collector.spans.filter(({ kind }) => kind === 2).length >= 2);
  const statuses = collector.spans.filter(({ kind }) => kind === 2).map((span) => attributes(span)['http.response.status_code']);
  assert.ok(statuses.includes(400) && statuses.includes(415), `${statuses}`);
});

test('whether a request is traced, its sender says, or a share', async (t) => {
  const { collector, server } = await startTraced(t, { share: '0%' });
  for (let i = 0; i < 20; i++) await server.post(webhook(`a-${i}`));
  await server.post(webhook('b'), { traceparent: traceparent('00') });
  const unsampled = await server.post(webhook('c'), { traceparent: 'nonsense' });
  assert.match(unsampled.headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  await server.post(webhook('d'), { traceparent: traceparent('01') });
  await until('the spans', () => collector.spans.length >= 7);
  assert.ok(collector.spans.every(({ traceId }) => traceId === trace));
  assert.deepEqual(
    collector.spans.filter(({ kind }) => kind === 2).map((span) => attributes(span)['sluice.message_id']),
    ['d'],
  );
});

test('a collector that is away costs no request, and gets what it can once it is back', async (t) => {
  const { collector, server } = await startTraced(t, {});
  collector.statuses = [503, 400];
  await server.post(webhook('m-1'));
  await until('the first two tries', () => collector.requests.length >= 2);
  await server.post(webhook('m-2'));
  await until('the spans', () => collector.spans.some(({ kind }) => kind === 2));
  assert.deepEqual(
    collector.spans.filter(({ kind }) => kind === 2).map((span) => attributes(span)['sluice.message_id']),
    ['m-2'],
    'a 400 is not tried again',
  );
  const metrics = await server.metrics();
  assert.equal(metrics.value('webhook_trace_spans_total', { result: 'failed' }), 7);
  assert.match(server.log, /spans_not_exported .*reason="the collector answered 400"/);
});

test('the spans of the last requests are sent before the end', async (t) => {
  const { collector, server } = await startTraced(t, { every: '1h' });
  await server.post(webhook('m-1'));
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.equal(collector.spans.length, 7);
});

test('exemplars lead from a bucket to a trace, for scrapers that ask for OpenMetrics', async (t) => {
  const { server } = await startTraced(t, {});
  await server.post(webhook('m-1'), { traceparent: traceparent('01') });
  const accept = { Accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' };
  let page;
  await until('an exemplar', async () => {
    page = await server.ask('/metrics', { headers: accept });
    return page.text.includes('trace_id=');
  });
  assert.match(page.headers['content-type'], /^application\/openmetrics-text; version=1\.0\.0/);
  const line = new RegExp(`^webhook_http_latency_by_stage_ms_bucket\\{stage="total",le="[^"]+"\\} 1 # \\{trace_id="${trace}"\\} [0-9.]+ [0-9.]+$`, 'm');
  assert.match(page.text, line);
  assert.ok(page.text.endsWith('# EOF\n'));
  const plain = await server.ask('/metrics');
  assert.match(plain.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  assert.ok(!plain.text.includes('trace_id'));
});

test('the server links no HTTP client, and loads one only to trace', async (t) => {
  const { stdout } = await execute('ldd', [`${build}/sluice`]);
  assert.ok(!stdout.includes('libcurl'), stdout);
  const { server } = await startTraced(t, {});
  const plain = await start(t, around({ persist: 'sqlite', path: 'plain.db' }));
  const maps = async (pid) => (await execute('cat', [`/proc/${pid}/maps`])).stdout;
  assert.ok((await maps(server.pid)).includes('libcurl'));
  assert.ok(!(await maps(plain.pid)).includes('libcurl'));
});

for (const [otlp, sentence] of [
  [{ url: 'collector:4318' }, /observability\.otlp\.url: expected a URL/],
  [{ url: 'http://127.0.0.1:4318', headers: ['no colon'] }, /observability\.otlp\.headers: expected "Name: value" as item 1/],
  [{ url: 'http://127.0.0.1:4318', queue: 5 }, /observability\.otlp\.batch: expected at most otlp\.queue, 5/],
])
  test(`check refuses ${JSON.stringify(otlp)}`, async (t) => {
    const directory = await makeDirectory(t);
    const file = await writePipeline(directory, around({ persist: 'sqlite' }, { observability: { otlp } }));
    const { code, stderr } = await sluice(['check', file], { cwd: directory });
    assert.equal(code, 1);
    assert.match(stderr, sentence);
  });
