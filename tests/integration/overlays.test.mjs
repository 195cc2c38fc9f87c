// Overlays together: every pair that does not exclude each other starts, and loses, doubles and reorders nothing.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { startRedis } from './support/redis.mjs';
import { root, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { until } from './support/wait.mjs';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const files = { 'benchmarks/scenarios/gate-a-pipeline.yaml': ['--sign', `standard-webhooks:${secret}`], 'pipelines/postgres.yaml': [] };
const nowhere = { DB_URL: 'postgresql://nobody@127.0.0.1:1/nowhere', REDIS_PORT: '1', STATE_DIR: '/nowhere' };

async function overlaysOf(file) {
  const { code, stdout, stderr } = await sluice(['check', '--overlays', file], { env: nowhere });
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split('\n').map((line) => line.split('\t')[0]);
}

const goTogether = async (file, set) =>
  (await sluice(['check', file, '--disable', 'all', '--enable', set.join(',')], { env: nowhere })).code === 0;

const pairsOf = (set) => set.flatMap((a, i) => set.slice(i + 1).map((b) => [a, b]));
const key = (pair) => pair.join('+');

// Sets in which every possible pair occurs: each takes what adds a pair that no set has yet.
async function coveringSets(file) {
  const overlays = await overlaysOf(file);
  const possible = new Set();
  await Promise.all(
    pairsOf(overlays).map(async (pair) => (await goTogether(file, pair)) && possible.add(key(pair))),
  );
  const open = new Set(possible);
  const sets = [];
  while (open.size > 0) {
    const set = [...open][0].split('+');
    for (const overlay of overlays) {
      const larger = overlays.filter((each) => each === overlay || set.includes(each));
      if (!set.includes(overlay) && pairsOf(larger).every((pair) => possible.has(key(pair)))) set.push(overlay);
    }
    const ordered = overlays.filter((each) => set.includes(each));
    for (const pair of pairsOf(ordered)) open.delete(key(pair));
    sets.push(ordered);
  }
  return { overlays, possible, sets };
}

async function assertCorrect(t, file, set, sign) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const env = { DB_URL: store.url, STATE_DIR: directory, REDIS_PORT: String(set.includes('redis-queue') ? await startRedis(t) : 1) };
  const enabled = ['--disable', 'all', '--enable', set.join(',')];
  const pipeline = join(root, file);
  const server = await start(t, pipeline, { directory, env, args: enabled });
  const [input, run] = [join(directory, 'input.jsonl'), join(directory, 'run')];
  const generate = ['generate', '--count', 300, '--streams', 20, '--duplicates', '10%', '--conflicts', '2%', '--output', input];
  assert.equal((await sluice(generate)).code, 0);
  const replay = ['replay', '--input', input, '--url', `${server.url}/webhooks`, '--output', run, '--rate', 0, '--concurrency', 20, ...sign];
  const sent = await sluice(replay);
  assert.notEqual(sent.code, 2, sent.stderr);
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.log);
  // What a queue on the disk still has is delivered by the next start.
  if (set.includes('journal')) {
    const next = await start(t, pipeline, { directory, env, args: enabled });
    await until('the backlog to be stored', async () => (await next.metrics()).value('webhook_in_flight') === 0);
    assert.equal((await next.stop()).code, 0);
  }
  const verified = await sluice(['verify', run, pipeline, '--input', input, '--json', ...enabled], { env });
  assert.equal(verified.code, 0, verified.stderr + verified.stdout);
  const { answered, stored, violations_total: violations } = JSON.parse(verified.stdout);
  assert.equal(violations, 0);
  assert.equal(answered, stored);
  assert.ok(answered > 200, `${answered} were answered with 2xx`);
}

for (const [file, sign] of Object.entries(files)) {
  test(`all pairs of overlays of ${file} start and store each event once`, async (t) => {
    const { overlays, possible, sets } = await coveringSets(join(root, file));
    assert.ok(possible.size >= overlays.length, 'most overlays go together');
    for (const set of sets) {
      await t.test(set.join(', '), (t) => assertCorrect(t, file, set, sign));
    }
  });
}
