// The command line: overlays and the kill switch, what `check` says, and that nothing secret is ever printed.

import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { sign } from '@octokit/webhooks-methods';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { around, root, sluice, start, writePipeline } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';

const secrets = {
  WEBHOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  DB_URL: 'postgresql://sluice:correct-horse-battery@127.0.0.1:1/none',
};

const pipelines = (await readdir(join(root, 'pipelines'))).filter((name) => name.endsWith('.yaml'));

for (const name of pipelines) {
  const file = join(root, 'pipelines', name);
  test(`sluice check finds pipelines/${name} good and prints it without its secrets`, async () => {
    const { code, stdout, stderr } = await sluice(['check', '--print', file], { env: secrets });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^pipeline: /m);
    for (const hidden of [secrets.WEBHOOK_SECRET, 'correct-horse-battery'])
      assert.ok(!`${stdout}${stderr}`.includes(hidden), `${hidden} is shown`);
  });

  test(`what check --print shows of pipelines/${name} is a pipeline again`, async (t) => {
    const directory = await makeDirectory(t);
    const { stdout } = await sluice(['check', '--print', file], { env: secrets });
    const text = stdout.replaceAll('***', secrets.WEBHOOK_SECRET).replace(/url: .*/, `url: "${secrets.DB_URL}"`);
    const copy = join(directory, 'copy.yaml');
    await writeFile(copy, text);
    const again = await sluice(['check', '--print', copy], { env: secrets });
    assert.equal(again.code, 0, again.stderr);
    const effective = (printed) =>
      printed
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .join('\n');
    assert.equal(effective(again.stdout), effective(stdout));
  });
}

test('who mistypes a subcommand or a setting is told what was expected', async () => {
  for (const [args, said] of [
    [['gat'], /^sluice: unknown subcommand 'gat'; did you mean 'gate'\?$/m],
    [['chekc'], /did you mean 'check'\?$/m],
    [['help', 'rnu'], /did you mean 'run'\?$/m],
    [['zzz'], /^sluice: unknown subcommand 'zzz'$/m],
    [['check', 'x.yaml', '--set', 'listen.port'], /--set: expected PATH=VALUE, got listen\.port; see sluice check --help/],
  ]) {
    const { code, stderr } = await sluice(args);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, said);
  }
});

for (const name of ['check', 'compare'])
  test(`help ${name} is what ${name} --help prints`, async () => {
    const help = await sluice(['help', name]);
    assert.equal(help.code, 0);
    assert.match(help.stdout, new RegExp(`^Usage: sluice ${name} `));
    assert.equal(help.stdout, (await sluice([name, '--help'])).stdout);
  });

test('a file that is not there is no answer, a broken one is a no', async (t) => {
  const directory = await makeDirectory(t);
  assert.equal((await sluice(['check', join(directory, 'missing.yaml')])).code, 2);
  const file = await writePipeline(directory, { pipeline: 'broken', stages: [{ persist: 'sqlite', pth: 'x.db' }] });
  const { code, stderr } = await sluice(['check', file]);
  assert.equal(code, 1);
  assert.match(stderr, /pipeline\.yaml:\d+:\d+: .*pth.*did you mean.*path/i);
  const run = await sluice(['run', file]);
  assert.equal(run.code, 2);
  assert.equal(run.stderr, stderr);
});

test('a variable that is not set is an error that names it and its place', async (t) => {
  const directory = await makeDirectory(t);
  const file = await writePipeline(directory, around({ persist: 'sqlite', path: '${NOT_SET_ANYWHERE}/x.db' }));
  const { code, stderr } = await sluice(['check', file]);
  assert.equal(code, 1);
  assert.match(stderr, /pipeline\.yaml:\d+:\d+: .*NOT_SET_ANYWHERE/);
});

test('what cannot keep the promise behind a 2xx is refused', async (t) => {
  const directory = await makeDirectory(t);
  const sqlite = await openStore(t, 'sqlite', directory);
  const postgres = await openStore(t, 'postgres', directory);
  const careless = `${postgres.url}?options=-csynchronous_commit%3Doff`;
  const cases = [
    [{ ack: 'queued' }, sqlite.stage(), /durable|queued/],
    [{}, sqlite.stage({ synchronous: 'normal' }), /durability: relaxed/],
    [{}, postgres.stage({ url: careless }), /synchronous_commit/],
  ];
  for (const [sections, persist, expected] of cases) {
    const file = await writePipeline(directory, around(persist, sections));
    const { code, stderr } = await sluice(['run', file, '--set', 'listen.port=0', '--set', 'admin.port=0'], {
      seconds: 10,
    });
    assert.equal(code, 2, JSON.stringify(persist));
    assert.match(stderr, expected);
  }
  const relaxed = around(postgres.stage({ url: careless, durability: 'relaxed' }));
  const server = await start(t, relaxed, { directory });
  assert.equal((await server.post(webhook('m'))).status, 202);
});

const overlaid = (store) => ({
  ...around(store.stage(), { queue: { workers: 2 } }),
  optimizations: {
    workers: { about: 'more of them', stages: { queue: { workers: 5 } } },
    timing: { about: 'tell the sender', listen: { server_timing: true } },
  },
  enable: ['workers'],
});

// [environment, flags] → what is on
const choices = [
  [{}, [], 'workers'],
  [{ ENABLE_OPTIMIZATIONS: 'false' }, [], ''],
  [{ ENABLE_OPTIMIZATIONS: 'true' }, [], 'workers'],
  [{ ENABLE_OPTIMIZATIONS: 'timing' }, [], 'timing'],
  [{ ENABLE_OPTIMIZATIONS: 'workers,timing' }, [], 'workers,timing'],
  [{}, ['--enable', 'timing'], 'workers,timing'],
  [{}, ['--disable', 'all'], ''],
  [{ ENABLE_OPTIMIZATIONS: 'timing' }, ['--disable', 'timing', '--enable', 'workers'], 'workers'],
  [{ ENABLE_OPTIMIZATIONS: 'false' }, ['--enable', 'timing'], ''],
];

for (const [env, flags, expected] of choices) {
  test(`with ${JSON.stringify(env)} and "${flags.join(' ')}" what is on is "${expected}"`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, 'sqlite', directory);
    const server = await start(t, overlaid(store), { directory, env, args: flags });
    const metrics = await server.metrics();
    assert.equal(metrics.all('webhook_pipeline_info')[0].labels.optimizations, expected);
    assert.equal(metrics.all('webhook_worker_utilization').length, expected.includes('workers') ? 5 : 2);
    const response = await server.post(webhook('m'));
    assert.equal(response.status, 202);
    assert.equal(response.headers['server-timing'] !== undefined, expected.includes('timing'));
  });
}

test('a port that is taken, and a store that cannot be opened, are sentences and exit 2', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage()), { directory });
  const { port } = new URL(server.url);
  const taken = await sluice(['run', server.file, '--set', `listen.port=${port}`, '--set', 'admin.port=0'], {
    seconds: 10,
  });
  assert.equal(taken.code, 2);
  assert.equal(taken.stdout, '', 'no address of a listener that is gone again');
  assert.match(taken.stderr, new RegExp(port));
  const adminTaken = await sluice(
    ['run', server.file, '--set', 'listen.port=0', '--set', `admin.port=${new URL(server.admin).port}`],
    { seconds: 10 },
  );
  assert.deepEqual([adminTaken.code, adminTaken.stdout], [2, '']);
  const nowhere = join(directory, 'missing', 'x.db');
  const closed = await sluice(['run', server.file, '--set', 'listen.port=0', '--set', `persist.path=${nowhere}`], {
    seconds: 10,
  });
  assert.equal(closed.code, 2);
  assert.match(closed.stderr, /missing\/x\.db/);
});

test('no secret, signature or payload is in log, metrics, stats or the printed pipeline', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const hidden = {
    secret: 'a-secret-that-nobody-may-see',
    password: new URL(store.url).password,
    token: 'a-token-that-nobody-may-see',
    signature: 'c0ffee'.repeat(10) + 'beef',
    payload: 'what-the-customer-bought',
  };
  const auth = { auth: 'hmac', scheme: 'github', secrets: ['${HIDDEN_SECRET}'] };
  const pipeline = around(store.stage(), { auth, admin: { token: '${HIDDEN_TOKEN}' } });
  const env = { HIDDEN_SECRET: hidden.secret, HIDDEN_TOKEN: hidden.token, ENABLE_LATENCY_PROFILING: 'true' };
  const server = await start(t, pipeline, { directory, env, args: ['--log-level', 'debug'] });
  const body = webhook('m', { payload: JSON.stringify(hidden.payload) });
  const good = await sign(hidden.secret, body);
  assert.equal((await server.post(body, { 'X-Hub-Signature-256': good })).status, 202);
  const seen = [];
  seen.push((await server.post(body, { 'X-Hub-Signature-256': `sha256=${hidden.signature}` })).text);
  const broken = body.slice(0, -1);
  seen.push((await server.post(broken, { 'X-Hub-Signature-256': await sign(hidden.secret, broken) })).text);
  for (const path of ['/metrics', '/api/stats', '/api/pipeline', '/api/health', '/api/lineage/m'])
    seen.push((await server.ask(path, { headers: { Authorization: `Bearer ${hidden.token}` } })).text);
  const checked = await sluice(['check', '--print', server.file], { env });
  assert.equal(checked.code, 0, checked.stderr);
  seen.push(checked.stdout, checked.stderr);
  await server.stop();
  seen.push(server.log, server.lines.join('\n'));
  for (const [name, value] of Object.entries({ ...hidden, good: good.slice(7) }))
    for (const text of seen) assert.ok(!text.includes(value), `the ${name} is shown in: ${text.slice(0, 300)}`);
});
