// The JSON Schema as an editor uses it: what `check` takes is taken, and one mistake is one error, at its place.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import Ajv from 'ajv';
import { parse } from 'yaml';

import { build, root, sluice } from './support/sluice.mjs';

const stagePath = ['tests/stages', 'stages', 'plugins'].map((folder) => join(build, folder)).join(':');
const { stdout } = await sluice(['schema', '--stage-path', stagePath]);
// strictTypes wants a type beside every "properties"; here one at the top of an item says it for all.
const validate = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false }).compile(JSON.parse(stdout));

// What an editor shows: that an if led to a then which did not hold is no error of its own to one.
function errorsOf(text) {
  validate(parse(text));
  return (validate.errors ?? []).filter(({ keyword }) => keyword !== 'if');
}

const golden = join(root, 'tests/golden/config');
for (const name of (await readdir(golden)).filter((name) => name.startsWith('good-'))) {
  test(`the schema takes ${name}`, async () => {
    assert.deepEqual(errorsOf(await readFile(join(golden, name, 'pipeline.yaml'), 'utf8')), []);
  });
}

for (const name of (await readdir(join(root, 'pipelines'))).filter((name) => name.endsWith('.yaml'))) {
  test(`the schema takes pipelines/${name}`, async () => {
    assert.deepEqual(errorsOf(await readFile(join(root, 'pipelines', name), 'utf8')), []);
  });
}

const listen = (setting) => `listen: { ${setting} }\nstages: [{ persist: sqlite }]\n`;
const overlay = (patch) => `stages: [{ persist: sqlite }]\noptimizations: { a: ${patch} }\n`;

const mistakes = [
  ['a misspelt option', 'stages: [{ queue: memory, capasity: 5 }]', '/stages/0', 'capasity'],
  ['a misspelt option in a group', 'stages: [{ persist: postgres, url: x, pool: { mx: 5 } }]', '/stages/0/pool', 'mx'],
  ['a misspelt implementation', 'stages: [{ queue: memroy, capacity: 5 }]', '/stages/0/queue'],
  ['a misspelt kind', 'stages: [{ queu: memory, capacity: 5, workers: 3 }]', '/stages/0'],
  ['an option of another stage', 'stages: [{ persist: sqlite, pool: { max: 5 } }]', '/stages/0', 'pool'],
  ['a missing option', 'stages: [{ persist: config_store }]', '/stages/0'],
  ['a choice that is none', 'ack: soon\nstages: [{ persist: sqlite }]', '/ack'],
  ['a pin that is too short', 'stages: [{ persist: sqlite, sha256: 5f70 }]', '/stages/0/sha256'],
  ['a misspelt section', 'lissen: { port: 5 }\nstages: [{ persist: sqlite }]', '', 'lissen'],
  ['a misspelt setting', listen('prot: 5'), '/listen', 'prot'],
  ['a number out of range', listen('port: 70000'), '/listen/port'],
  ['a boolean that is none', listen('health: "yes"'), '/listen/health'],
  ['a duration without a unit', listen('deadline: 10'), '/listen/deadline'],
  ['a quoted duration without a unit', listen('deadline: "10"'), '/listen/deadline'],
  ['a duration with a unit of sizes', listen('deadline: 10KiB'), '/listen/deadline'],
  ['a size with an unknown unit', listen('max_body: 1Mb'), '/listen/max_body'],
  ['a part of a byte', listen('max_body: "1.5"'), '/listen/max_body'],
  ['a size out of range', listen('max_body: 0'), '/listen/max_body'],
  ['a section that no overlay may change', overlay('{ admin: { port: 1 } }'), '/optimizations/a', 'admin'],
  ['a misspelt setting in an overlay', overlay('{ listen: { prot: 1 } }'), '/optimizations/a/listen', 'prot'],
  ['a misspelt option in an overlay', overlay('{ stages: { queue: { use: memory, capasity: 5 } } }'),
    '/optimizations/a/stages/queue', 'capasity'],
  ['a misspelt implementation in an overlay', overlay('{ stages: { queue: { use: memroy } } }'),
    '/optimizations/a/stages/queue/use'],
];

for (const [what, text, place, property] of mistakes) {
  test(`the schema has one error for ${what}`, async () => {
    const errors = errorsOf(text);
    assert.equal(errors.length, 1, JSON.stringify(errors, null, 2));
    assert.equal(errors[0].instancePath, place);
    if (property) assert.equal(errors[0].params.additionalProperty, property);
  });
}

const rights = [
  ['a duration of nothing', listen('keep_alive: 0, drain: "0"')],
  ['durations in every unit', listen('deadline: 1.5s, drain: 2m, header_timeout: 900ms, body_timeout: 5000000us')],
  ['sizes with and without a unit', listen('max_body: 1000, max_header: 16KiB, compression: { threshold: 1.5kB }')],
  ['what comes from the environment', listen('port: "${PORT:-1}", health: "${HEALTH}", deadline: "${DEADLINE}"')],
  ['a stage from a file, with options of its own', 'stages: [{ auth: ./mine.so, anything: 1 }, { persist: sqlite }]'],
  ['a stage from the environment', 'stages: [{ persist: "${STORE}", anything: 1 }]'],
  ['an overlay that removes a pin', overlay('{ stages: { persist: { sha256: ~ } } }')],
  ['an overlay that leaves out what is required', overlay('{ stages: { persist: { use: config_store } } }')],
  ['the old name of a section', 'seeing: { pool_stats: 1s }\nstages: [{ persist: sqlite }]'],
];

for (const [what, text] of rights) {
  test(`the schema takes ${what}`, () => assert.deepEqual(errorsOf(text), []));
}
