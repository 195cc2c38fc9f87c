// What `sluice generate` writes: the same from the same seed, and a server answers each line as its kind says.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { around, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';

const generate = (...flags) => sluice(['generate', ...flags]);

async function lines(...flags) {
  const { code, stdout, stderr } = await generate(...flags);
  assert.equal(code, 0, stderr);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const bodyOf = ({ body, body_base64 }) => (body === undefined ? Buffer.from(body_base64, 'base64') : body);

test('the same seed gives the same file, another seed another', async (t) => {
  const directory = await makeDirectory(t);
  const write = async (name, seed) => {
    const output = join(directory, name);
    const { code, stdout } = await generate('--count', 2000, '--seed', seed, '--malformed', '2%', '--output', output);
    assert.deepEqual([code, stdout], [0, '']);
    return readFile(output);
  };
  const first = await write('a.jsonl', 7);
  assert.ok(first.equals(await write('b.jsonl', 7)));
  assert.ok(!first.equals(await write('c.jsonl', 8)));
});

test('a server answers each generated line as its kind says', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage()), { directory });
  const shares = ['--duplicates', '10%', '--conflicts', '10%', '--malformed', '20%'];
  const input = await lines('--count', 400, '--seed', 3, '--size', '64B..4KiB', '--streams', 5, ...shares);
  const right = { new: 202, duplicate: 200, conflict: 422, malformed: 400 };
  for (const line of input) {
    const { status, text } = await server.post(bodyOf(line));
    assert.equal(status, right[line.kind], `${JSON.stringify(line)}: ${text}`);
  }
  const fresh = input.filter(({ kind }) => kind === 'new');
  assert.equal(fresh.length, 240);
  const expected = fresh.map(({ message_id, event_type, stream, sequence, body, payload_at, payload_size }) => {
    const payload = Buffer.from(body).subarray(payload_at, payload_at + payload_size);
    return { message_id, event_type, stream, sequence, payload: payload.toString('hex') };
  });
  const rows = (await store.events()).map(({ id, request_id, ...row }) => row);
  assert.deepEqual(rows, expected);
});

test('a corpus gives the payloads, byte for byte', async (t) => {
  const corpus = join(await makeDirectory(t), 'corpus.jsonl');
  const payloads = ['{ "a": 1.00 }', '["ü",\t"\\u0041"]', '17'];
  await writeFile(corpus, `${payloads.join('\n\n')}\n`);
  const seen = new Set();
  for (const { body, payload_at, payload_size } of await lines('--count', 100, '--corpus', corpus))
    seen.add(
      Buffer.from(body)
        .subarray(payload_at, payload_at + payload_size)
        .toString(),
    );
  assert.deepEqual([...seen].sort(), payloads.sort());
});

test('what is wrong is named with its flag or its line', async (t) => {
  const corpus = join(await makeDirectory(t), 'corpus.jsonl');
  await writeFile(corpus, '{}\n{"a":\n');
  const faults = {
    '--count: expected 1..1000000000 lines, got none': ['--count', 'none'],
    '--seed: expected': ['--seed=-1'],
    '--duplicates: expected a percentage of 0%..99%, got 2': ['--duplicates', 2],
    '--size: expected a size of 16B..64MiB, two with .. between them, or real, got "1"': ['--size', 1],
    '--size: excludes --corpus, whose payloads have their own sizes': ['--size', '1KiB', '--corpus', corpus],
    [`--corpus: ${corpus}:2: expected a JSON payload`]: ['--corpus', corpus],
    '--output: /nowhere/x: cannot be written': ['--output', '/nowhere/x'],
    'expected to leave a line for a new event, got 10 of 10': ['--count', 10, '--duplicates', '99%'],
  };
  for (const [sentence, flags] of Object.entries(faults)) {
    const { code, stdout, stderr } = await generate(...flags);
    assert.deepEqual([code, stdout], [2, ''], sentence);
    assert.ok(stderr.includes(sentence), stderr);
  }
});
