// Where the time went, from what a real server wrote down: its trace and its profile log.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';

const requests = 200;

const optimizations = {
  'larger-batches': { about: 'more events in a transaction', treats: 'full_batches', stages: { persist: { max_batch: 512 } } },
};

// Sends 200 webhooks, a tenth of them duplicates, and returns the files that the server has left behind.
async function run(t) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const trace = join(directory, 'server.trace');
  const server = await start(t, around(store.stage(), { optimizations }), {
    directory,
    args: ['--trace', trace],
    env: { ENABLE_LATENCY_PROFILING: 'true' },
  });
  let next = 0;
  const send = async () => {
    while (next < requests) {
      const i = next++;
      const { status } = await server.post(webhook(`m-${i % 180}`, { stream: `s-${i % 9}` }));
      assert.ok(status === 202 || status === 200, `answered ${status}`);
    }
  };
  await Promise.all([send(), send(), send(), send()]);
  assert.equal((await server.stop()).code, 0);
  const log = join(directory, 'server.log');
  await writeFile(log, server.log);
  return { directory, trace, log, pipeline: server.file };
}

async function analyze(...args) {
  const { code, stdout, stderr } = await sluice(['analyze', ...args]);
  assert.equal(code, 0, stderr);
  return { stdout, stderr };
}

const json = async (...args) => JSON.parse((await analyze(...args, '--json')).stdout);

test('the trace and the profile log of one run say the same, within the microsecond of the log', async (t) => {
  const { trace, log } = await run(t);
  const { analyses } = await json(trace, log);
  const [byTrace, byLog] = analyses;
  assert.deepEqual([byTrace.source, byLog.source], [trace, log]);
  for (const analysis of analyses) {
    assert.equal(analysis.requests, requests);
    assert.equal(analysis.unanswered, 0);
    assert.equal(analysis.tail.requests, requests / 20);
    const sum = (member) => analysis.parts.reduce((total, part) => total + part[member], 0);
    assert.ok(Math.abs(sum('tail_share') - 1) < 1e-3, `the shares come to ${sum('tail_share')}`);
    assert.ok(Math.abs(sum('excess_share') - 1) < 1e-9);
    assert.ok(Math.abs(sum('dominant') - 1) < 1e-9);
    const hotspot = analysis.parts.find(({ name }) => name === analysis.hotspot);
    for (const part of analysis.parts) assert.ok(part.tail_share <= hotspot.tail_share);
  }
  const part = (analysis, name) => analysis.parts.find((each) => each.name === name);
  for (const name of ['auth', 'parse', 'queue', 'persist', 'respond']) {
    assert.ok(part(byTrace, name), `${name} is missing`);
    assert.equal(part(byLog, name).count, part(byTrace, name).count, name);
    for (const member of ['p50_ms', 'p95_ms', 'max_ms']) {
      const [logged, traced] = [part(byLog, name)[member], part(byTrace, name)[member]];
      assert.ok(Math.abs(logged - traced) < 0.002, `${name}.${member}: ${logged} and ${traced}`);
    }
  }
  assert.equal(byTrace.good, requests);
  assert.deepEqual(
    byTrace.spans.map(({ name }) => name),
    ['execute', 'commit', 'other'],
  );
  assert.deepEqual(byLog.spans, []);
});

test('people get the block they know, one hotspot, and a recommendation or none', async (t) => {
  const { trace, pipeline } = await run(t);
  const { stdout } = await analyze(trace, '--pipeline', pipeline);
  assert.match(stdout, /^LATENCY BREAKDOWN \(P95\)\n {2}auth /);
  assert.equal(stdout.match(/← HOTSPOT/g).length, 1);
  assert.match(stdout, /\npersist\/sqlite, by its spans\n {2}execute /);
  assert.match(stdout, /\nrequests 200, answered 200, with 2xx 200\n/);
  assert.match(stdout, /\nRECOMMENDATION\n {2}(1\. \d+ %|None: )/);
});

test('every export has every request', async (t) => {
  const { directory, trace } = await run(t);
  const csv = (await analyze(trace, '--export', 'csv')).stdout.trim().split('\r\n');
  assert.equal(csv.length, 1 + requests);
  const jsonl = (await analyze(trace, '--export', 'jsonl')).stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(jsonl.length, requests);
  assert.deepEqual(Object.keys(jsonl[0]), csv[0].split(','));
  assert.ok(jsonl.every(({ status, total_ms: total }) => [200, 202].includes(status) && total > 0));
  const perfetto = JSON.parse((await analyze(trace, '--export', 'perfetto')).stdout);
  assert.equal(perfetto.traceEvents.filter(({ name, ph }) => name === 'request' && ph === 'X').length, requests);
  const hgrm = (await analyze(trace, '--export', 'hgrm')).stdout;
  assert.match(hgrm, /\n#\[Max {5}= +[\d.]+, Total count {4}= +200\]\n/);
  const output = join(directory, 'out.csv');
  assert.equal((await analyze(trace, '--export', 'csv', '--output', output)).stdout, '');
  assert.equal((await readFile(output, 'utf8')).trim(), csv.join('\r\n'));
});

test('what cannot be read is refused by name, and an empty run says that it is empty', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const trace = join(directory, 'empty.trace');
  const server = await start(t, around(store.stage()), { directory, args: ['--trace', trace] });
  assert.equal((await server.stop()).code, 0);
  assert.match((await analyze(trace)).stdout, /nothing to analyze/);
  const broken = join(directory, 'broken.log');
  await writeFile(broken, 'starting\nLATENCY_PROFILE: {"requestId":"r","stages":{"auth":1.5\n');
  for (const [args, what] of [
    [[join(directory, 'none')], /none: .*No such file/],
    [[broken], /broken\.log:2: expected JSON/],
    [[directory], /run\.json/],
    [[trace, '--arm', 'c'], /--arm: expected a or b/],
    [[trace, '--export', 'xml'], /--export: expected csv, jsonl, perfetto or hgrm/],
    [[trace, '--output', 'x'], /--output: goes with --export/],
    [[trace, '--pipeline', broken], /broken\.log/],
    [[trace, trace, '--export', 'csv'], /--export: expected one run/],
  ]) {
    const { code, stderr } = await sluice(['analyze', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, what);
  }
});
