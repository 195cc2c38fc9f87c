// What is installed is enough: the program finds its stages from where it stands, and an author of a stage needs nothing else.

import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { after, before } from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { around, build, execute, sluice, start } from './support/sluice.mjs';

const kinds = ['auth', 'parse', 'idempotency', 'queue', 'persist'];
let place, prefix, program;

async function succeed(command, args, options) {
  const { code, stdout, stderr } = await execute(command, args, { seconds: 120, ...options });
  assert.equal(code, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

before(async () => {
  place = await mkdtemp(join(tmpdir(), 'sluice-install-'));
  prefix = join(place, 'prefix');
  program = join(prefix, 'bin/sluice');
  await succeed('cmake', ['--install', build, '--prefix', prefix]);
});
after(() => rm(place, { recursive: true, force: true }));

const alone = (file, args) => succeed('env', ['-i', file, ...args]);

test('an installed program finds all its stages, also when the whole tree is moved', async () => {
  const names = (list) => JSON.parse(list).map(({ kind, name }) => `${kind}/${name}`);
  const built = names((await sluice(['stages', '--json'])).stdout);
  assert.ok(built.length > 7);
  const moved = join(place, 'moved');
  for (const [here, there] of [[prefix, moved], [moved, prefix]]) {
    const list = await alone(join(here, 'bin/sluice'), ['stages', '--json']);
    assert.deepEqual(names(list), built);
    for (const { file } of JSON.parse(list)) assert.ok(file.startsWith(`${here}/lib`), file);
    await rename(here, there);
  }
});

test('everything is below the prefix: headers, pages, completion, pipelines', async () => {
  const have = async (folder) => readdir(join(prefix, folder));
  assert.deepEqual(await have('bin'), ['sluice', 'sluice-lab']);
  assert.ok((await have('include/sluice')).includes('stage.h'));
  assert.ok((await have('share/man/man1')).includes('sluice-run.1'));
  assert.ok((await have('share/man/man5')).includes('sluice-pipeline.5'));
  assert.ok((await have('share/man/man3')).includes('sluice-stage.3'));
  assert.ok((await have('share/sluice/pipelines')).includes('quickstart.yaml'));
  assert.ok((await have('share/sluice/gates')).includes('gate-a.yaml'));
  assert.ok((await have('share/doc/sluice')).includes('writing-a-stage.md'));
  assert.ok((await have('share/doc/sluice/internals')).includes('run-directory.md'));
});

test('an example gate judges a run as it is installed', async () => {
  for (const name of await readdir(join(prefix, 'share/sluice/gates'))) {
    const { code, stderr } = await execute(program, ['gate', join(place, 'no-run'), join(prefix, 'share/sluice/gates', name)]);
    assert.equal(code, 2); // for there is no run, and not for the gate
    assert.match(stderr, /no-run/, name);
  }
});

// A path in a manual page is one of the reader's own, or of something that is installed below share/sluice.
const ours = /(?<![\w./-])(?:benchmarks|core|docs|gates|pipelines|plugins|stages|tests)\/[\w./-]*\w/g;

test('manual pages name no file that is not installed', async () => {
  let count = 0;
  for (const section of ['man1', 'man3', 'man5']) {
    for (const page of await readdir(join(prefix, 'share/man', section))) {
      const text = (await readFile(join(prefix, 'share/man', section, page), 'utf8')).replaceAll('\\-', '-');
      for (const [path] of text.matchAll(ours)) {
        await assert.doesNotReject(access(join(prefix, 'share/sluice', path)), `${page}: ${path}`);
        count++;
      }
      for (const [, name] of text.matchAll(/([\w-]+\.md)/g))
        await assert.doesNotReject(access(join(prefix, 'share/doc/sluice', name)), `${page}: ${name}`);
    }
  }
  assert.ok(count > 3, `${count} paths`);
});

test('links between installed guides lead to what is installed', async () => {
  const folder = join(prefix, 'share/doc/sluice');
  for (const page of (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.md'))) {
    const text = await readFile(join(folder, page), 'utf8');
    for (const [, link] of text.matchAll(/\]\((?![a-z]+:)([^)#]+\.md)[^)]*\)/g)) {
      const target = join(folder, dirname(page), link);
      if (!target.startsWith(folder)) continue; // of the source tree
      await assert.doesNotReject(access(target), `${page}: ${link}`);
    }
  }
});

for (const kind of kinds) {
  test(`new-stage ${kind}: what it makes builds without a warning and keeps the promises of its kind`, async (t) => {
    const directory = await makeDirectory(t);
    const at = { cwd: directory, env: { CMAKE_PREFIX_PATH: prefix, CFLAGS: '-Wall -Wextra -Wconversion -Wshadow -Werror' } };
    await writeFile(join(directory, 'other'), ''); // the current folder is not empty
    await succeed(program, ['new-stage', kind, 'mine'], at);
    const folder = join(directory, 'mine');
    const lines = (await readFile(join(folder, 'CMakeLists.txt'), 'utf8')).trim().split('\n');
    assert.equal(lines.length, 1 + 3); // the version of CMake, and three
    for (const name of await readdir(folder))
      assert.doesNotMatch(await readFile(join(folder, name), 'utf8'), /@[A-Z]+@/, name);
    await succeed('cmake', ['-S', 'mine', '-B', 'b'], at);
    await succeed('cmake', ['--build', 'b'], at);
    const said = await (kind === 'auth' || process.env.SLUICE_LONG
      ? succeed('ctest', ['--test-dir', 'b', '--verbose', '--no-tests=error'], at)
      : succeed('mine/test.sh', ['b/mine.so', '--quick'], { ...at, env: { ...at.env, SLUICE: program } }));
    assert.match(said, / 0 BROKEN/);
    assert.match(await succeed(program, ['stages', 'b/mine.so'], at), new RegExp(`^${kind}/mine `));
  });
}

// [kind, lines of its source at most]: what an author reads first has to be short
const lengths = [['auth', 50], ['parse', 120], ['persist', 120]];

test('what new-stage makes is short', async (t) => {
  const directory = await makeDirectory(t);
  for (const [kind, most] of lengths) {
    await succeed(program, ['new-stage', kind, 'mine', kind], { cwd: directory });
    const lines = (await readFile(join(directory, kind, 'mine.c'), 'utf8')).trimEnd().split('\n');
    assert.ok(lines.length <= most, `${kind}: ${lines.length} lines`);
  }
});

test('in an empty folder, four commands lead from nothing to a proven stage', async (t) => {
  const directory = await makeDirectory(t);
  const line = 'sluice new-stage parse mine && cmake -B b && cmake --build b && sluice conform b/mine.so';
  const env = { CMAKE_PREFIX_PATH: prefix, PATH: `${join(prefix, 'bin')}:${process.env.PATH}` };
  assert.match(await succeed('sh', ['-c', line], { cwd: directory, env }), / 0 BROKEN/);
});

test('a new store runs in a pipeline by its path, exactly once, also across a restart', async (t) => {
  const directory = await makeDirectory(t);
  const at = { cwd: directory, env: { CMAKE_PREFIX_PATH: prefix } };
  await succeed(program, ['new-stage', 'persist', 'mine', 'folder'], at);
  await succeed('cmake', ['-S', 'folder', '-B', 'b'], at);
  await succeed('cmake', ['--build', 'b'], at);
  const server = await start(t, around({ persist: './b/mine.so', path: 'events.db' }), { directory, program });
  for (const [id, status] of [['m1', 202], ['m2', 202], ['m1', 200]])
    assert.equal((await server.post(webhook(id))).status, status, id);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  const again = await start(t, server.file, { directory, program });
  assert.equal((await again.post(webhook('m2'))).status, 200);
  assert.equal((await again.post(webhook('m2', { payload: '{"n":2}' }))).status, 422);
  await again.stop();
  const rows = await succeed('sqlite3', ['events.db', 'SELECT id, CAST(message_id AS TEXT) FROM events'], at);
  assert.deepEqual(rows.trim().split('\n').map((row) => row.split('|')[1]), ['m1', 'm2']);
});

test('new-stage refuses what cannot be, in a sentence, and writes nothing over', async (t) => {
  const directory = await makeDirectory(t);
  await mkdir(join(directory, 'full'));
  await writeFile(join(directory, 'full/mine.c'), 'mine');
  await mkdir(join(directory, 'empty'));
  const cases = [
    [['persit', 'mine'], /KIND: .*did you mean persist/],
    [['auth', 'Mine'], /NAME: expected a lower-case letter/],
    [['auth', '../mine'], /NAME: expected a lower-case letter/],
    [['auth', ''], /NAME: expected a lower-case letter/],
    [['auth', 'mine', 'full'], /full: exists already/],
    [['auth', 'mine', 'full/mine.c'], /exists already/],
    [['auth', 'mine', 'none/at/all'], /none\/at\/all: cannot be created/],
  ];
  for (const [args, sentence] of cases) {
    const { code, stderr } = await sluice(['new-stage', ...args], { cwd: directory });
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, sentence);
  }
  assert.deepEqual((await readdir(directory)).sort(), ['empty', 'full']);
  assert.deepEqual(await readdir(join(directory, 'full')), ['mine.c']);
  await succeed(program, ['new-stage', 'auth', 'mine', 'empty'], { cwd: directory });
});

test('the headers compile as C and as C++ with what pkg-config says', async (t) => {
  const directory = await makeDirectory(t);
  const env = { PKG_CONFIG_PATH: join(prefix, 'lib/pkgconfig') };
  const flags = (await succeed('pkg-config', ['--cflags', 'sluice'], { env })).trim().split(' ');
  await writeFile(join(directory, 'x.c'), '#include <sluice/stage.h>\n');
  const strict = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', ...flags];
  await succeed('cc', ['-std=c11', ...strict, 'x.c'], { cwd: directory });
  await succeed('c++', ['-std=c++20', ...strict, '-x', 'c++', 'x.c'], { cwd: directory });
});

// [what has been typed, what is offered among others, the word that the cursor is in unless it is the last]
const completions = [
  ['sluice ', 'run'],
  ['sluice new-', 'new-stage'],
  ['sluice check --pr', '--print'],
  ['sluice new-stage per', 'persist'],
  ['sluice audit v', 'verify'],
  ['sluice evidence ver', 'verify'],
  ['sluice stages persist/sq', 'persist/sqlite'],
  ['sluice run pipe', 'pipeline.yaml'],
  ['sluice run of', 'of two words.yaml'],
  ['sluice verify --input of', 'of two words.yaml'],
  ['sluice run pipeline.yaml --enable ', 'more-workers'],
  ['sluice check --enable keep-alive,mo pipeline.yaml', 'keep-alive,more-workers', 3],
  ['sluice run pipeline.yaml --disable a', 'all'],
  ['sluice compare pipeline.yaml --a n', 'none'],
  ['sluice run pipeline.yaml --log-level w', 'warn'],
  ['sluice run --log-format j', 'json'],
  ['sluice replay --arrivals p', 'poisson'],
];

test('bash completes subcommands, their flags and their operands', async (t) => {
  const directory = await makeDirectory(t);
  const optimizations = 'optimizations: { keep-alive: { about: one }, more-workers: {}, "$(touch${IFS}expanded)": {} }';
  await writeFile(join(directory, 'pipeline.yaml'), optimizations);
  await writeFile(join(directory, 'of two words.yaml'), '');
  const script = join(prefix, 'share/bash-completion/completions/sluice');
  const env = { PATH: `${join(prefix, 'bin')}:${process.env.PATH}` };
  for (const [typed, offered, at] of completions) {
    const words = typed.split(' ').map((word) => `'${word}'`);
    const ask = `source ${script}; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${at ?? words.length - 1}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const reply = await succeed('bash', ['--norc', '-c', ask], { cwd: directory, env });
    assert.ok(reply.split('\n').includes(offered), `${typed} → ${reply}`);
  }
  assert.deepEqual(await readdir(directory), ['of two words.yaml', 'pipeline.yaml']); // a name in a file is no command
});
