// Two configurations under a controlled test, with the real binary: what it finds, what it leaves behind, what it refuses.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { cleanup, makeDirectory } from './support/cleanup.mjs';
import { around, build, execute, fixture, sluice, writePipeline } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { until, within } from './support/wait.mjs';

const sqlite = { persist: 'sqlite', path: 'never-used.db' };
const short = ['--block', '200ms', '--rate', '150', '--concurrency', '4', '--size', '100B'];
const verdicts = { better: 0, equivalent: 1, worse: 1, inconclusive: 11, invalid: 30 };

const optimizations = {
  'larger-batches': { about: 'A: more events in a transaction', stages: { persist: { max_batch: 512 } } },
  'more-threads': { about: 'more threads that serve connections', listen: { threads: 4 } },
};

const json = async (...path) => JSON.parse(await readFile(join(...path), 'utf8'));

async function prepare(t, pipeline = around(sqlite, { optimizations })) {
  const directory = await makeDirectory(t);
  return { directory, pipeline: await writePipeline(directory, pipeline), run: join(directory, 'run') };
}

/** A stage of the tree with a delay in it: benchmarks/trust/planted.c. */
const planted = (kind, name) => join(build, 'benchmarks/stages', kind, `planted-${name}.so`);

const compare = (args, options) => sluice(['compare', ...args], { seconds: 120, ...options });

/** Runs one that must come to a verdict, whichever it is; gives compare.json. */
async function judge(run, args) {
  const { code, stdout, stderr } = await compare([...args, '--output', run]);
  assert.ok(existsSync(join(run, 'compare.json')), stderr);
  const document = await json(run, 'compare.json');
  assert.equal(code, verdicts[document.verdict.outcome], stdout + stderr);
  assert.ok(stdout.includes(`${document.verdict.outcome}: ${document.verdict.sentence}`), stdout);
  return document;
}

async function refuses(args, ...expected) {
  const { code, stderr } = await compare(args);
  assert.equal(code, 2, stderr);
  for (const each of expected) assert.match(stderr, each);
  return stderr;
}

/** Processes that have this in their command line. */
async function processesWith(text) {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(numbers.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(text) && line.startsWith('sluice\0run'));
}

const leftovers = async (directory) =>
  (await execute('find', [directory, '-name', 'sluice_lab_*'])).stdout.split('\n').filter(Boolean);

test('a pipeline against itself', async (t) => {
  const { directory, pipeline, run } = await prepare(t);
  const places = join(directory, 'places');
  const document = await judge(run, [
    pipeline,
    ...['--aa', '--pairs', '3', ...short, '--prepare', `echo "$SLUICE_ARM $SLUICE_LOCATION" >>${places}`],
  ]);

  await t.test('has every pair in it, both arms under the same load', () => {
    assert.equal(document.pairs, 3);
    assert.equal(document.blocks.length, 6);
    for (const { requests } of document.blocks) assert.equal(requests, 30);
    assert.deepEqual(
      document.arms.map(({ label }) => label),
      ['none', 'none again'],
    );
  });

  await t.test('each arm had tables of its own, and what is in them is what was answered', async () => {
    const [a, b] = (await readFile(places, 'utf8')).trim().split('\n').sort(); // a coin says which starts first
    assert.match(a, /^a \/.*\/sluice_lab_[0-9a-f]{8}_a$/);
    assert.match(b, /^b \/.*\/sluice_lab_[0-9a-f]{8}_b$/);
    const { arms } = await json(run, 'verify.json');
    assert.equal(arms[0].foreign, arms[1].foreign, 'as many warm-up events in both');
    for (const { stored, answered, violations_total: violations, lost } of arms) {
      assert.equal(stored, answered);
      assert.ok(stored > 80, `${stored} stored`);
      assert.deepEqual([violations, lost], [0, 0]);
    }
  });

  await t.test('nothing is left of the stores, and no server', async () => {
    assert.deepEqual(await leftovers(directory), []);
    assert.deepEqual(await processesWith(directory), []);
  });

  await t.test('the run directory has what it takes to compute it again', async () => {
    const files = await readdir(run);
    for (const name of ['run.json', 'requests.bin', 'input.jsonl', 'report.html', 'effective-a.yaml', 'samples.jsonl', 'host.jsonl'])
      assert.ok(files.includes(name), `${name} of ${files}`);
    const { arms, comparison, interrupted, stores_before, stores_after } = await json(run, 'run.json');
    assert.deepEqual(arms[0].stages.map(({ kind }) => kind), ['auth', 'parse', 'idempotency', 'queue', 'persist']);
    assert.deepEqual([comparison.pairs, interrupted], [3, false]);
    assert.deepEqual([stores_before.length, stores_after.length], [2, 2]);
    assert.match(await readFile(join(run, 'report.html'), 'utf8'), /none again/);
  });
});

test('in several lives each arm has fresh stores, and what is in all of them is what was answered', async (t) => {
  const { directory, pipeline, run } = await prepare(t);
  const places = join(directory, 'places');
  const document = await judge(run, [
    pipeline,
    ...['--aa', '--lives', '3', '--pairs', '6', ...short, '--prepare', `echo "$SLUICE_ARM $SLUICE_LOCATION" >>${places}`],
  ]);
  assert.equal(document.pairs, 6);
  assert.match(document.verdict.sentence, /No conclusion|3 lives of 2 pairs/);
  const lines = (await readFile(places, 'utf8')).trim().split('\n');
  assert.equal(new Set(lines).size, 6, 'three places for each');
  const { blocks, comparison } = await json(run, 'run.json');
  assert.deepEqual(blocks.map(({ life }) => life), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  assert.deepEqual([comparison.lives, comparison.pairs], [3, 6]);
  const { arms, violations } = await json(run, 'verify.json');
  assert.equal(violations, 0);
  for (const { stored, answered } of arms) {
    assert.equal(stored, answered);
    assert.ok(stored > 160, `${stored} stored`);
  }
  assert.deepEqual(await leftovers(directory), []);
  assert.deepEqual(await processesWith(directory), []);
});

test('Ctrl-C ends it after the pair, with a verdict on the pairs that are complete', async (t) => {
  const { directory, pipeline, run } = await prepare(t);
  const args = ['compare', pipeline, '--aa', '--pairs', '500', ...short, '--output', run];
  const child = spawn(join(build, 'sluice'), args, { stdio: 'ignore' });
  cleanup(t, () => child.kill('SIGKILL'));
  const ended = new Promise((done) => child.on('close', done));
  const samples = join(run, 'samples.jsonl');
  await until('the first sample', async () => existsSync(samples) && (await readFile(samples)).length > 0, {
    within: 30,
  });
  child.kill('SIGINT');
  const code = await within(20, 'the end of sluice compare', ended);
  const document = await json(run, 'compare.json');
  assert.equal(code, verdicts[document.verdict.outcome]);
  assert.equal((await json(run, 'run.json')).interrupted, true);
  assert.ok(document.pairs >= 1 && document.pairs < 500, `${document.pairs} pairs`);
  assert.equal(document.blocks.length, 2 * document.pairs);
  for (const { requests } of document.blocks) assert.equal(requests, 30);
  assert.deepEqual(await leftovers(directory), []);
  assert.deepEqual(await processesWith(directory), []);
});

// Of a stage that takes 100 ms, give or take 20, an overlay makes that many percent more.
const slower = (percent) => {
  const ms = (base) => `${Math.round(base * 1000 * (1 + percent / 100))}us`;
  return { about: 'A planted effect', stages: { auth: { delay: ms(100), spread: ms(20) } } };
};

// A run whose generator was late says nothing, and on a busy machine a few pairs settle nothing: then it is made again,
// with more pairs. A verdict that is wrong ends it.
async function judgeUntilSettled(run, args, outcomes) {
  for (let attempt = 1; ; attempt++) {
    const document = await judge(`${run}-${attempt}`, [...args, '--pairs', `${5 * attempt}`]);
    const { outcome } = document.verdict;
    if (outcomes.includes(outcome) || !['invalid', 'inconclusive'].includes(outcome) || attempt === 5) return document;
  }
}

test('a planted effect', async (t) => {
  const auth = { auth: fixture('auth', 'delay'), delay: '100ms', spread: '20ms' };
  const effects = { 'plus-20': 20, 'minus-20': -20, 'plus-2': 2 };
  const expected = { 'plus-20': ['worse'], 'minus-20': ['better'], 'plus-2': ['inconclusive', 'equivalent'] };
  const overlays = Object.fromEntries(Object.entries(effects).map(([name, percent]) => [name, slower(percent)]));
  const { directory, pipeline } = await prepare(
    t,
    around(sqlite, { auth, listen: { threads: 32 }, optimizations: overlays }),
  );
  const load = ['--block', '400ms', '--rate', '100', '--concurrency', '32'];
  // One in twenty verdicts on next to nothing may be wrong, says --alpha; here one in a thousand.
  const alpha = { 'plus-2': ['--alpha', '0.1%'] };
  for (const [name, outcomes] of Object.entries(expected))
    await t.test(`${name} % is ${outcomes.join(' or ')}`, async () => {
      const { verdict } = await judgeUntilSettled(join(directory, name), [pipeline, '--b', name, ...load, ...(alpha[name] ?? [])], outcomes);
      assert.ok(outcomes.includes(verdict.outcome), JSON.stringify(verdict));
    });
});

test('--each compares every overlay alone, the enabled ones, and these less one each', async (t) => {
  const { directory, pipeline, run } = await prepare(
    t,
    around(sqlite, { optimizations, enable: Object.keys(optimizations) }),
  );
  const { code, stdout, stderr } = await compare([pipeline, '--each', '--pairs', '2', ...short, '--output', run]);
  assert.ok([0, 1].includes(code), stderr);
  const labels = async (name) => (await json(run, name, 'compare.json')).arms.map(({ label }) => label);
  const expected = {
    'larger-batches': ['none', 'larger-batches'],
    'more-threads': ['none', 'more-threads'],
    enabled: ['none', 'larger-batches,more-threads'],
    'enabled-without-larger-batches': ['more-threads', 'larger-batches,more-threads'],
    'enabled-without-more-threads': ['larger-batches', 'larger-batches,more-threads'],
  };
  for (const [name, arms] of Object.entries(expected)) {
    assert.deepEqual(await labels(name), arms);
    assert.match(stdout, new RegExp(`^${name} +(${Object.keys(verdicts).join('|')}) `, 'm'));
  }
  const pairs = (await readdir(run)).filter((name) => name.includes('+')); // where chance had it that both made a difference
  assert.deepEqual((await readdir(run)).sort(), [...Object.keys(expected), ...pairs, 'each.json'].sort());
  assert.deepEqual(await leftovers(directory), []);
});

// A request waits 300 ms in each of two stages. Without one of them it takes half of the time, without both nearly none, where two
// halves of a half are expected.
test('--each finds which overlays help each other, and recommends a set', async (t) => {
  const delays = (auth, persist) => ({
    stages: { ...(auth && { auth: { delay: auth } }), ...(persist && { persist: { delay: persist } }) },
  });
  const store = { persist: planted('persist', 'sqlite'), path: 'never-used.db', delay: '300ms' };
  const { directory, pipeline, run } = await prepare(
    t,
    around(store, {
      auth: { auth: planted('auth', 'none'), delay: '300ms' },
      listen: { threads: 32 },
      queue: { workers: 32 },
      optimizations: {
        early: { about: 'no delay before the queue', ...delays('0ms') },
        late: { about: 'none behind it', ...delays(undefined, '0ms') },
        other: { about: 'excludes the first', excludes: ['early'], ...delays('1ms') },
      },
    }),
  );
  const load = ['--pairs', '3', '--block', '600ms', '--rate', '40', '--concurrency', '32'];
  // On a busy machine a comparison may be invalid, or settle nothing: then all are made again.
  const runEach = async (attempt) => {
    const output = `${run}-${attempt}`;
    const result = await compare([pipeline, '--each', ...load, '--output', output], { seconds: 240 });
    if (attempt < 4 && / (invalid|inconclusive) /.test(result.stdout)) return runEach(attempt + 1);
    return { ...result, document: await json(output, 'each.json') };
  };
  const { code, stdout, stderr, document } = await runEach(1);
  assert.equal(code, 0, stdout + stderr);
  const { sets, pairs, not_together: apart, recommended } = document;
  assert.deepEqual(
    sets.map(({ overlays, outcome }) => [overlays.join('+'), outcome]),
    [
      ['early', 'better'],
      ['late', 'better'],
      ['other', 'better'],
      ['early+late', 'better'],
      ['late+other', 'better'],
    ],
  );
  assert.deepEqual(apart.map(({ overlays }) => overlays), [['early', 'other']]);
  assert.match(apart[0].reason, /exclude/);
  const [{ alone, expected, together, word }] = pairs;
  // Half of the time, and what of the wait for a thread goes with it.
  for (const change of alone) assert.ok(change < -0.35 && change > -0.7, `${change}`);
  assert.ok(Math.abs(expected - ((1 + alone[0]) * (1 + alone[1]) - 1)) < 1e-9);
  assert.ok(together < -0.75, `${together}`);
  assert.equal(word, 'help');
  assert.deepEqual(recommended, ['early', 'late']);
  assert.match(stdout, /^early \+ late +−.*  help$/m);
  assert.match(stdout, /^Keep early,late: P95 −/m);
});

test('--profile', async (t) => {
  const auth = { auth: fixture('auth', 'delay'), delay: '4ms' };
  const { directory, pipeline, run } = await prepare(
    t,
    around(sqlite, { auth, optimizations: { busy: { about: 'computes', stages: { auth: { busy: true } } } } }),
  );

  await t.test('is refused where there is no perf, before anything is made', async () => {
    const empty = { PATH: directory };
    const { code, stderr } = await compare([pipeline, '--b', 'busy', '--profile', '--output', run], { env: empty });
    assert.equal(code, 2);
    assert.match(stderr, /perf is not in PATH: install it/);
    assert.ok(!existsSync(run));
  });

  const perf = await execute('perf', ['stat', '-e', 'cpu-clock', 'true']).catch(() => ({ code: 1 }));
  if (perf.code !== 0) return t.diagnostic('perf cannot count here');
  await judge(run, [pipeline, '--b', 'busy', '--profile', '--pairs', '2', '--block', '1s', '--rate', '100', '--concurrency', '4']);

  await t.test('tells a stage that computes from one that waits', async () => {
    const { stages } = await json(run, 'compare.json');
    const [a, b] = stages.find(({ stage }) => stage === 'auth').processor;
    // Where others want the processors, the 4 ms of the one that computes are not all its own.
    assert.ok(a.body_work_ms > 4 && a.body_cpu_ms < 0.4, JSON.stringify(a));
    assert.ok(b.body_work_ms > 4 && b.body_cpu_ms > 0.8, JSON.stringify(b));
  });

  await t.test('finds the function that computes, in the arm where it does', async () => {
    const samplesOf = async (letter) =>
      (await readFile(join(run, `stacks-${letter}.folded`), 'utf8'))
        .split('\n')
        .filter((line) => /;process/.test(line))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    const [a, b] = [await samplesOf('a'), await samplesOf('b')];
    assert.ok(b > 50 && b > 5 * a, `A ${a}, B ${b} samples`);
    assert.match(await readFile(join(run, 'report.html'), 'utf8'), /"flame":\["all",/);
  });

  await t.test('leaves nothing of perf, and a bundle that can be verified', async () => {
    assert.ok(!(await readdir(run)).includes('.perf'));
    assert.deepEqual(await leftovers(directory), []);
    await sluice(['evidence', 'pack', run]);
    const { stdout } = await sluice(['evidence', 'verify', run]);
    assert.doesNotMatch(stdout, /stacks|report\.html/);
  });
});

const smoke = 'gate: quick\noutcome: smoke\ncriteria: { p95: 30s, violations: 0 }\n';

test('--single puts B alone under load, and its gate decides', async (t) => {
  const { directory, pipeline, run } = await prepare(t, around(sqlite, { optimizations, enable: ['more-threads'] }));
  const gate = join(directory, 'gate.yaml');
  await writeFile(gate, smoke);
  const { code, stdout, stderr } = await compare([pipeline, '--single', ...short, '--gate', gate, '--output', run]);
  const { status, sentence, rows } = await json(run, 'gate.json');
  assert.equal(code, status, stdout + stderr);
  assert.ok(stdout.includes(sentence), stdout);
  assert.deepEqual(rows.map(({ name }) => name), ['p95', 'violations']);
  const { arms, schedule } = await json(run, 'run.json');
  assert.deepEqual(arms.map(({ label }) => label), ['more-threads']);
  assert.deepEqual([schedule.design, schedule.requests], ['single', 30]);
  assert.ok(!existsSync(join(run, 'compare.json')));
  assert.match(await readFile(join(run, 'report.html'), 'utf8'), /quick/);
  assert.deepEqual(await leftovers(directory), []);
});

test('a scenario', async (t) => {
  const { directory, pipeline, run } = await prepare(t);
  const folder = join(directory, 'scenarios');
  const scenario = join(folder, 'one.yaml');
  await mkdir(folder);
  await writeFile(join(folder, 'gate.yaml'), smoke);

  await t.test('has the settings, flags win, and its paths are relative to it', async () => {
    await writeFile(
      scenario,
      'about: "as told"\npipeline: ../pipeline.yaml\ngate: gate.yaml\nb: more-threads\npairs: 500\nblock: 250ms\nrate: 120\nconcurrency: 4\n',
    );
    const document = await judge(run, ['--scenario', scenario, '--pairs', '2']);
    assert.equal(document.pairs, 2);
    assert.deepEqual(document.arms.map(({ label }) => label), ['none', 'more-threads']);
    const about = await json(run, 'run.json');
    assert.deepEqual([about.about, about.scenario, about.schedule.rate], ['as told', scenario, 120]);
    assert.equal((await json(run, 'gate.json')).gate, 'quick');
  });

  for (const [what, text, ...expected] of [
    ['an unknown setting', 'pipeline: ../pipeline.yaml\npairz: 3\n', /one\.yaml:2:1: /, /did you mean "pairs"/],
    ['a value out of bounds', 'pairs: 1\n', /one\.yaml:1:8: /, /expected 2\.\.1000/],
    ['what is no YAML', 'pairs: [\n', /one\.yaml:\d+:\d+: /],
  ])
    await t.test(`is refused with file, line and column for ${what}`, async () => {
      await writeFile(scenario, text);
      await refuses(['--scenario', scenario, pipeline, '--output', `${run}-2`], ...expected);
    });
});

test('what cannot be compared is refused before anything is made', async (t) => {
  const { directory, pipeline, run } = await prepare(t);
  const gate = join(directory, 'gate.yaml');
  await writeFile(gate, 'gate: broken\nlimitz: 3\n');
  const cases = {
    'two arms that are the same': [[pipeline], /A \(none\) and B \(none\) are the same effective pipeline/, /--aa/],
    'a setting that --set makes the same': [
      [pipeline, '--b', 'more-threads', '--set', 'listen.threads=7'],
      /the same effective pipeline/,
    ],
    'an unknown overlay of A': [[pipeline, '--a', 'more-thread'], /^--a: .*did you mean "more-threads"/],
    'an unknown overlay of B': [[pipeline, '--b', 'larger-batch'], /^--b: .*did you mean "larger-batches"/],
    'a pipeline that is not there': [[`${pipeline}.not`], /pipeline\.yaml\.not/],
    'flags that contradict each other': [[pipeline, '--aa', '--single'], /--aa and --single contradict/],
    'two pipelines of which one is compared with itself': [[pipeline, pipeline, '--aa'], /about one pipeline/],
    'a broken gate': [[pipeline, '--b', 'more-threads', '--gate', gate], /gate\.yaml:2:1: /],
    'intervals that leave nothing to chance': [
      [pipeline, '--b', 'more-threads', '--alpha', '0%'],
      /--alpha must be above 0 %/,
    ],
    'pairs that do not go into the lives': [[pipeline, '--aa', '--pairs', '5', '--lives', '2'], /spread evenly over --lives 2/],
    'several lives of one block': [[pipeline, '--single', '--pairs', '4', '--lives', '2'], /--lives and --single contradict/],
    'no pipeline': [[], /expected a pipeline/],
  };
  for (const [what, [args, ...expected]] of Object.entries(cases))
    await t.test(what, async () => {
      await refuses([...args, '--output', run], ...expected);
      assert.ok(!existsSync(run));
    });
});

test('a server that does not start ends it, with the end of its log', async (t) => {
  const nowhere = { listen: { address: '203.0.113.1' } }; // of no machine: RFC 5737
  const { directory, pipeline, run } = await prepare(t, around(sqlite, { optimizations: { broken: nowhere } }));
  const stderr = await refuses([pipeline, '--b', 'broken', ...short, '--output', run], /arm b \(broken\) did not start/);
  assert.match(stderr, /203\.0\.113\.1/);
  assert.deepEqual(await processesWith(directory), []);
  assert.deepEqual(await leftovers(directory), []);
});

test('on PostgreSQL', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const pipeline = await writePipeline(directory, around(store.stage(), { optimizations }));
  const schemas = () => store.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'sluice\\_lab\\_%'`);

  await t.test('a duet has both arms under load at once, and its schemas are gone afterwards', async () => {
    const run = join(directory, 'duet');
    const document = await judge(run, [
      pipeline,
      ...['--b', 'more-threads', '--duet', '--pairs', '2', '--block', '400ms', '--rate', '200', '--concurrency', '4'],
    ]);
    assert.equal(document.design, 'duet');
    assert.equal(document.blocks.length, 4);
    for (let pair = 0; pair < 2; pair++) {
      const [a, b] = document.blocks.filter((block) => block.pair === pair);
      assert.equal(a.requests + b.requests, 80);
      assert.ok(Math.min(a.requests, b.requests) > 15, `${a.requests} and ${b.requests}`);
    }
    for (const arm of (await json(run, 'verify.json')).arms) assert.equal(arm.violations_total, 0);
    assert.deepEqual(await schemas(), []);
  });

  await t.test('a server that does not start leaves no schema', async () => {
    const file = await writePipeline(
      directory,
      around(store.stage(), { optimizations: { broken: { listen: { address: '203.0.113.1' } } } }),
      'broken.yaml',
    );
    await refuses([file, '--b', 'broken', ...short, '--output', join(directory, 'broken')], /did not start/);
    assert.deepEqual(await schemas(), []);
  });

  await t.test('the write-ahead log is counted per event, and kept tables are kept', async () => {
    const run = join(directory, 'kept');
    const { metrics } = await judge(run, [
      pipeline,
      ...['--b', 'more-threads', '--keep-stores', '--pairs', '2', ...short],
    ]);
    assert.ok(metrics.find(({ name }) => name === 'wal_per_event').a > 100);
    assert.equal((await schemas()).length, 2);
  });
});

test('a bundle of evidence', async (t) => {
  const { directory, pipeline, run } = await prepare(t);
  const gate = join(directory, 'gate.yaml');
  await writeFile(gate, smoke);
  await judge(run, [pipeline, '--b', 'more-threads', '--pairs', '2', ...short, '--gate', gate, '--rollback']);
  const verify = () => sluice(['evidence', 'verify', run]);
  const packed = await sluice(['evidence', 'pack', run]);

  await t.test('lacks nothing after a comparison with a gate and a rollback', async () => {
    assert.equal(packed.code, 0, packed.stdout + packed.stderr);
    assert.match(packed.stdout, /packed/);
    const rollback = await json(run, 'rollback.json');
    assert.deepEqual([rollback.ok, rollback.is_base, rollback.right], [true, true, 100], JSON.stringify(rollback));
    assert.match(await readFile(join(run, 'effective.diff'), 'utf8'), /^-  threads: 2\n\+  threads: 4$/m);
    assert.equal((await readFile(join(run, 'lineages.txt'), 'utf8')).match(/^request_id: /gm).length, 10);
  });

  await t.test('is without fault, for sha256sum, too', async () => {
    const { code, stdout } = await verify();
    assert.equal(code, 0, stdout);
    const sums = await execute('sha256sum', ['--quiet', '--strict', '-c', 'MANIFEST.sha256'], { cwd: run });
    assert.equal(sums.code, 0, sums.stdout);
  });

  await t.test('is refused after the verdict was edited, also with hashes that fit', async () => {
    const file = join(run, 'compare.json');
    const before = await readFile(file, 'utf8');
    const other = /"outcome": "better"/.test(before) ? 'worse' : 'better';
    await writeFile(file, before.replace(/"outcome": "\w+"/, `"outcome": "${other}"`));
    const edited = await verify();
    assert.equal(edited.code, 1);
    assert.match(edited.stdout, /compare\.json: has changed/);
    await execute('sh', ['-c', `find * -type f ! -name MANIFEST.sha256 | xargs sha256sum >MANIFEST.sha256`], { cwd: run });
    const hashed = await verify();
    assert.equal(hashed.code, 1);
    assert.match(hashed.stdout, /compare\.json: is not what the raw samples come to\n/);
    assert.match(hashed.stdout, /compare\.json: is not the file that run\.json has the hash of\n/);
  });

  await t.test('is refused after one byte was added to the samples', async () => {
    await appendFile(join(run, 'requests.bin'), 'x');
    const { code, stdout } = await verify();
    assert.equal(code, 1);
    assert.match(stdout, /requests\.bin: has changed/);
  });
});

/** Keeps a neighbour writing to the disk until the test ends. */
function disturb(t, directory) {
  const loop = `while :; do dd if=/dev/zero of=${join(directory, 'neighbour')} bs=1M count=256 oflag=dsync; done`;
  const neighbours = [1, 2, 3, 4].map((i) =>
    spawn('sh', ['-c', loop.replace('neighbour', `neighbour-${i}`)], { stdio: 'ignore', detached: true }),
  );
  t.after(() => neighbours.forEach(({ pid }) => process.kill(-pid, 'SIGKILL')));
}

const strict = 'gate: strict\noutcome: final\ncriteria: { p95: 25ms, violations: 0 }\nrollback_above: 50ms\n';
const single = ['--single', '--block', '20s', '--rate', '200', '--concurrency', '20'];

/** The gate's word on one block of load. */
async function judgeStrictly(directory, run, pipeline) {
  const gate = join(directory, 'strict.yaml');
  await writeFile(gate, strict);
  const { stdout, stderr } = await compare([pipeline, ...single, '--gate', gate, '--output', run]);
  assert.ok(existsSync(join(run, 'gate.json')), stderr);
  const result = await json(run, 'gate.json');
  console.log(`${result.outcome}: ${JSON.stringify(result.host)}`, stdout.split('\n').find((line) => line.includes('strict:')));
  return result;
}

test('a gate beside a neighbour that writes to the disk', { skip: !process.env.SLUICE_LONG }, async (t) => {
  const { directory, pipeline, run } = await prepare(t);
  disturb(t, directory);
  const { outcome, sentence } = await judgeStrictly(directory, run, pipeline);
  assert.ok(['PASS', 'INVALID'].includes(outcome), sentence);
});

test('a gate of a server that stalls its own machine', { skip: !process.env.SLUICE_LONG }, async (t) => {
  const auth = { auth: fixture('auth', 'burn'), every: '1s', size: '512MiB' };
  const directory = await makeDirectory(t);
  const pipeline = await writePipeline(directory, around(sqlite, { auth: { ...auth, path: join(directory, 'burnt') } }));
  const { outcome, sentence } = await judgeStrictly(directory, join(directory, 'run'), pipeline);
  assert.equal(outcome, 'ROLLBACK', sentence);
});

test('ten comparisons of a pipeline with itself', { skip: !process.env.SLUICE_LONG }, async (t) => {
  const { directory, pipeline } = await prepare(t);
  const load = ['--pairs', '10', '--block', '1s', '--rate', '200', '--concurrency', '20'];
  const outcomes = [];
  for (let i = 0; i < 10; i++) {
    const args = [pipeline, '--aa', '--seed', `${i + 1}`, ...load];
    outcomes.push((await judge(join(directory, `run-${i}`), args)).verdict.outcome);
  }
  const wrong = outcomes.filter((outcome) => ['better', 'worse'].includes(outcome)).length;
  console.log(`A/A: 10 comparisons, ${wrong} false verdicts`);
  t.diagnostic(outcomes.join(', '));
  assert.ok(wrong <= 2);
});
