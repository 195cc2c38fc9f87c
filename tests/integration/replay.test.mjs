// generate → replay → verify against a real server, and what becomes of a run that is disturbed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { cleanup, makeDirectory } from './support/cleanup.mjs';
import { around, build, freePort, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { pause, within } from './support/wait.mjs';

const [yes, cannot, invalid] = [0, 2, 30];
const headerSize = 1088;
const recordSize = 584;

// A server with an empty store, and lines to send it.
async function prepare(t, { generate = [], sections } = {}) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage(), sections), { directory });
  const input = join(directory, 'input.jsonl');
  const { code, stderr } = await sluice(['generate', '--streams', 5, '--output', input, ...generate]);
  assert.equal(code, 0, stderr);
  return { directory, store, server, input, url: `${server.url}/webhooks`, run: join(directory, 'run') };
}

const flagsOf = ({ input, url, run }, flags) => ['replay', '--input', input, '--url', url, '--output', run, ...flags];

const read = async (run) => JSON.parse(await readFile(join(run, 'run.json')));

// A machine with other things to do may make any generator late: that is then all that may be said against a run.
function assertUndisturbed({ generator }, code, stderr) {
  assert.ok([yes, invalid].includes(code), `exit status ${code}: ${stderr}`);
  assert.equal(code === yes, generator.valid);
  for (const reason of generator.reasons) assert.match(reason, /^the generator /);
}

async function replay(place, ...flags) {
  const { code, stdout, stderr } = await sluice(flagsOf(place, flags));
  const about = await read(place.run);
  assertUndisturbed(about, code, stderr);
  assert.equal(about.results.errors, 0, stdout);
  return about;
}

async function verify({ run, server, input }) {
  const { code, stdout, stderr } = await sluice(['verify', run, server.file, '--json', '--input', input]);
  assert.equal(stderr, '');
  return { code, result: JSON.parse(stdout) };
}

// A replay that goes on beside the test.
function begin(t, place, ...flags) {
  const child = spawn(join(build, 'sluice'), flagsOf(place, flags).map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes) => (stdout += bytes));
  child.stderr.on('data', (bytes) => (stderr += bytes));
  const ended = new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })));
  cleanup(t, () => child.kill('SIGKILL'));
  return { child, end: () => within(60, 'the end of sluice replay', ended) };
}

const sent = (server, count) => server.atLeast(count, 'webhook_events_total', { outcome: 'accepted' });

test('what is generated, replayed and answered is stored, and verify agrees', async (t) => {
  const shares = ['--duplicates', '10%', '--conflicts', '5%', '--malformed', '5%'];
  const place = await prepare(t, { generate: ['--count', 400, ...shares] });
  const { results, schedule, arms, input, interrupted } = await replay(place, '--rate', 400, '--concurrency', 20);
  assert.deepEqual([results.requests, results.answered, interrupted], [400, 400, false]);
  assert.deepEqual(
    Object.fromEntries(Object.entries(results.by_kind).map(([kind, { requests }]) => [kind, requests])),
    { new: 320, duplicate: 40, conflict: 20, malformed: 20 },
  );
  assert.deepEqual([results.statuses[202], results.statuses[422], results.statuses[400]], [320, 20, 20]);
  assert.deepEqual([schedule.rate, schedule.connections, schedule.requests], [400, 20, 400]);
  assert.deepEqual([arms[0].url, input.file], [place.url, place.input]);
  assert.ok(results.corrected.p95_ms >= results.raw.p50_ms);
  assert.deepEqual((await readdir(place.run)).sort(), ['requests.bin', 'run.json']);
  const { code, result } = await verify(place);
  assert.deepEqual([code, result.answered, result.violations_total], [yes, 320, 0]);
});

test('a run directory holds the input if asked, and what the server says of itself', async (t) => {
  const place = await prepare(t, { generate: ['--count', 20] });
  const { arms } = await replay(place, '--keep-input', '--admin', place.server.admin, '--arrivals', 'poisson');
  assert.deepEqual(await readFile(join(place.run, 'input.jsonl')), await readFile(place.input));
  assert.equal(arms[0].pipeline, 'test');
  assert.match(arms[0].sha256, /^[0-9a-f]{64}$/);
  assert.equal((await sluice(['verify', place.run, place.server.file])).code, yes);
});

test('--requests and --duration end the schedule', async (t) => {
  const place = await prepare(t, { generate: ['--count', 300] });
  const count = async (run, ...flags) => (await replay({ ...place, run: join(place.directory, run) }, ...flags)).results.requests;
  assert.equal(await count('a', '--fresh', '--requests', 30), 30);
  assert.equal(await count('b', '--fresh', '--duration', '200ms', '--rate', 200), 40);
  const { code, stderr } = await sluice(flagsOf(place, ['--duration', '1s', '--rate', 0]));
  assert.equal(code, cannot);
  assert.match(stderr, /--duration: expected a --rate with it, or --requests/);
});

// ── a run that does not measure what it is meant to ──────────────────────────────────────────────────────────────────

test('a generator that is stopped again and again says INVALID, and why', async (t) => {
  const place = await prepare(t, { generate: ['--count', 600] });
  const { child, end } = begin(t, place, '--rate', 300, '--concurrency', 10);
  for (const count of [50, 200, 350]) {
    await sent(place.server, count);
    child.kill('SIGSTOP');
    await pause(300);
    child.kill('SIGCONT');
  }
  const { code, stdout } = await end();
  const { generator, results, interrupted } = await read(place.run);
  assert.equal(code, invalid);
  assert.deepEqual([generator.valid, interrupted, results.errors], [false, false, 0]);
  assert.ok(generator.lag_p95_ms > 100, `${generator.lag_p95_ms} ms`);
  assert.ok(generator.reasons.some((reason) => /^the generator was late: its lag has a P95 of/.test(reason)));
  assert.match(stdout, /INVALID\n {2}the generator was late/);
});

test('ids that the store had before make a run INVALID, and fresh ones do not', async (t) => {
  const place = await prepare(t, { generate: ['--count', 100] });
  await replay(place);
  const again = { ...place, run: join(place.directory, 'again') };
  const { code } = await sluice(flagsOf(again, []));
  const about = await read(again.run);
  assert.equal(code, invalid);
  assert.match(about.generator.reasons[0], /^98 events were in the store before they were sent: .*--fresh/);
  const fresh = { ...place, run: join(place.directory, 'fresh') };
  const { arms, results } = await replay(fresh, '--fresh');
  assert.match(arms[0].id_prefix, /^[0-9a-f]{8}-$/);
  assert.equal(results.statuses[202], 98);
  assert.equal((await verify(fresh)).code, yes);
});

// ── Ctrl-C ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test('Ctrl-C leaves a whole run of what was sent until then', async (t) => {
  const place = await prepare(t, { generate: ['--count', 5000] });
  const { child, end } = begin(t, place, '--rate', 200, '--keep-input');
  await sent(place.server, 60);
  child.kill('SIGINT');
  const { code, stderr } = await end();
  const about = await read(place.run);
  assertUndisturbed(about, code, stderr);
  const { requests, answered, errors } = about.results;
  assert.equal(about.interrupted, true);
  assert.ok(requests >= 60 && requests < 5000, `${requests} requests`);
  assert.deepEqual([answered, errors], [requests, 0]);
  assert.equal((await stat(join(place.run, 'requests.bin'))).size, headerSize + requests * recordSize);
  await place.server.counts('webhook_events_total', 'outcome', { accepted: about.results.statuses[202] });
  assert.equal((await verify(place)).code, yes);
});

// ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────

test('a directory that holds something, or is none, is refused before anything is sent', async (t) => {
  const place = await prepare(t, { generate: ['--count', 10] });
  await mkdir(place.run);
  await writeFile(join(place.run, 'notes.txt'), 'mine');
  const file = join(place.directory, 'a-file');
  await writeFile(file, '');
  for (const [run, says] of [
    [place.run, /there is a run in it already/],
    [file, /cannot be the run directory: Not a directory/],
    ['/nowhere/at/all', /cannot make the directory: No such file/],
  ]) {
    const { code, stderr } = await sluice(flagsOf({ ...place, run }, []));
    assert.equal(code, cannot);
    assert.match(stderr, says);
    assert.ok(stderr.startsWith(`${run}: `), stderr);
  }
  assert.deepEqual(await readdir(place.run), ['notes.txt']);
  assert.equal((await place.store.events()).length, 0);
});

test('what cannot be done is said in a sentence, with exit status 2', async (t) => {
  const place = await prepare(t, { generate: ['--count', 10] });
  const port = await freePort();
  for (const [change, flags, says] of [
    [{ url: 'localhost:5000' }, [], /expected a URL such as http:\/\/127\.0\.0\.1:5000\/webhooks, got "localhost:5000"/],
    [{ url: `http://127.0.0.1:${port}/` }, [], /cannot connect: Connection refused; is the server running\?/],
    [{ url: 'http://no-such-host.invalid/' }, [], /^no-such-host\.invalid:80: /],
    [{ input: '/nowhere.jsonl' }, [], /^\/nowhere\.jsonl: cannot be read/],
    [{}, ['--sign', 'rot13:x'], /standard-webhooks, github/],
    [{}, ['--admin', `http://127.0.0.1:${port}`], new RegExp(`${port}`)],
  ]) {
    const { code, stdout, stderr } = await sluice(flagsOf({ ...place, ...change }, flags));
    assert.deepEqual([code, stdout], [cannot, ''], stderr);
    assert.match(stderr, says);
  }
});

// ── signatures ───────────────────────────────────────────────────────────────────────────────────────────────────────

const form = { signature_header: 'X-Sig', timestamp_header: 'X-Time', signed: '{timestamp}.{body}', encoding: 'base64url' };

const signers = {
  'standard-webhooks': { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
  github: { secret: "It's a Secret to Everybody" },
  stripe: { secret: 'whsec_test_secret' },
  slack: { secret: 'hush' },
  shopify: { secret: 'hush' },
  template: {
    secret: 'hush',
    options: { template: form },
    flags: ['--template', Object.entries(form).map(([name, value]) => `${name}=${value}`).join(',')],
  },
};

for (const [scheme, { secret, options, flags = [] }] of Object.entries(signers)) {
  test(`what replay signs as ${scheme}, auth/hmac accepts, and what it spoils, it does not`, async (t) => {
    const auth = { auth: 'hmac', scheme, secrets: [secret], ...options };
    const place = await prepare(t, { generate: ['--count', 60, '--bad-signatures', '20%'], sections: { auth } });
    const { results, sign } = await replay(place, '--sign', `${scheme}:${secret}`, ...flags);
    assert.equal(sign, scheme);
    assert.deepEqual(results.by_kind.bad_signature, { requests: 12, right: 12 });
    assert.equal(results.statuses[401], 12);
    const about = await readFile(join(place.run, 'run.json'), 'utf8');
    assert.ok(!about.includes(secret), 'run.json shows the secret');
  });
}

// ── what is done to the store behind the server's back ───────────────────────────────────────────────────────────────

const victim = 'msg-1-3';

// Without its protection, so that it can be harmed: a copy that has the rows and nothing else.
const unprotected = `ALTER TABLE webhook_events RENAME TO kept; CREATE TABLE webhook_events AS SELECT * FROM kept ORDER BY id;`;
const swap = `
  CREATE TEMP TABLE pair AS SELECT id, message_id FROM webhook_events
    WHERE stream = (SELECT stream FROM webhook_events WHERE message_id = '${victim}') AND
          id >= (SELECT id FROM webhook_events WHERE message_id = '${victim}') ORDER BY id LIMIT 2;
  UPDATE webhook_events SET id = (SELECT sum(id) FROM pair) - id WHERE id IN (SELECT id FROM pair);`;

const crimes = {
  lost: `DELETE FROM webhook_events WHERE message_id = '${victim}'`,
  doubled: `INSERT INTO webhook_events SELECT * FROM webhook_events WHERE message_id = '${victim}'`,
  altered: `UPDATE webhook_events SET payload = CAST('{}' AS BLOB) WHERE message_id = '${victim}'`,
  reordered: swap,
};

test('each kind of harm to the store after a replay is found, with the message it was done to', async (t) => {
  const place = await prepare(t, { generate: ['--count', 100] });
  await replay(place, '--rate', 100);
  await place.server.stop();
  await place.store.query(unprotected);
  for (const [violation, sql] of Object.entries(crimes)) {
    await place.store.query(sql);
    const { code, result } = await verify(place);
    const found = result.examples.filter(({ kind }) => kind === violation);
    assert.equal(code, 1);
    assert.deepEqual([result[violation], result.violations_total], [1, 1], violation);
    if (violation !== 'reordered') assert.equal(found[0].message_id, victim);
    else assert.match(found[0].message_id, /^msg-1-\d+$/);
    await place.store.query('DELETE FROM webhook_events; INSERT INTO webhook_events SELECT * FROM kept ORDER BY id;');
    assert.equal((await verify(place)).code, yes);
  }
});
