// The Grafana dashboard and the Prometheus rules: their queries ask for what /metrics has, and the rules fire when they should.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { around, execute, root, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';

const dashboard = JSON.parse(await readFile(join(root, 'core/package/grafana/sluice.json'), 'utf8'));
const rulesFile = join(root, 'core/package/prometheus/sluice.rules.yml');

// Every query of the dashboard, with what Grafana puts in for its variables.
const queries = [...dashboard.panels.flatMap(({ targets = [] }) => targets), ...dashboard.annotations.list]
  .map(({ expr }) => expr)
  .concat(dashboard.templating.list.map(({ query }) => query?.query).filter(Boolean));
const concrete = (query) => query.replaceAll('$__rate_interval', '1m').replaceAll(/\$(job|instance)/g, '.*');

async function ruleQueries() {
  const yaml = await import('yaml');
  const { groups } = yaml.parse(await readFile(rulesFile, 'utf8'));
  return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
}

// Of each metric in a query: its name, and the labels that it is asked by. Those of the scrape are Prometheus's own.
function asked(query) {
  return [...query.matchAll(/\b((?:webhook|process)_\w+)(?:\{([^}]*)\})?/g)].map(([, name, matchers = '']) => ({
    name,
    labels: [...matchers.matchAll(/(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"/g)].filter(
      ([, label]) => !['job', 'instance'].includes(label),
    ),
  }));
}

// Labels by which a query groups.
const grouped = (query) =>
  [...query.matchAll(/\bby \(([^)]*)\)/g)]
    .flatMap(([, list]) => list.split(',').map((name) => name.trim()))
    .filter((name) => !['job', 'instance'].includes(name));

test('each query asks for names and labels that /metrics has', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'postgres', directory);
  const server = await start(t, around(store.stage()), { directory });
  assert.equal((await server.post(webhook('m-1'))).status, 202);
  const { samples } = await server.metrics();
  const all = [...queries, ...(await ruleQueries())];
  assert.ok(all.length > 30);
  for (const query of all) {
    const wanted = asked(query);
    assert.ok(wanted.length > 0, query);
    for (const { name, labels } of wanted) {
      const series = samples.filter((sample) => sample.name === name);
      assert.ok(series.length > 0, `${name} does not exist: ${query}`);
      for (const [, label, operator, value] of labels) {
        assert.ok(series.every((sample) => label in sample.labels), `${name} has no label ${label}: ${query}`);
        if (operator === '=') assert.ok(series.some((sample) => sample.labels[label] === value), `${name}: ${value}`);
        if (operator === '=~')
          for (const each of value.split('|').filter((text) => /^\w+$/.test(text)))
            assert.ok(series.some((sample) => sample.labels[label] === each), `${name}: no ${label} ${each}`);
      }
    }
    const known = new Set(wanted.flatMap(({ name }) => samples.filter((s) => s.name === name).flatMap((s) => Object.keys(s.labels))));
    for (const label of grouped(query)) assert.ok(known.has(label), `no label ${label}: ${query}`);
  }
});

test('promtool reads each query of the dashboard', async (t) => {
  const directory = await makeDirectory(t);
  const rules = queries
    .filter((query) => !query.startsWith('label_values('))
    .map((query, i) => ({ record: `dashboard:query:${i}`, expr: concrete(query) }));
  const file = join(directory, 'dashboard.yml');
  await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { code, stdout, stderr } = await execute('promtool', ['check', 'rules', file]);
  assert.equal(code, 0, stdout + stderr);
});

test('the rules are valid, and each fires when it should and not before', async () => {
  for (const args of [
    ['check', 'rules', rulesFile],
    ['test', 'rules', join(root, 'tests/prometheus/sluice.test.yml')],
  ]) {
    const { code, stdout, stderr } = await execute('promtool', args);
    assert.equal(code, 0, stdout + stderr);
  }
});

test('each alert of the rules is tried', async () => {
  const yaml = await import('yaml');
  const { groups } = yaml.parse(await readFile(rulesFile, 'utf8'));
  const { tests } = yaml.parse(await readFile(join(root, 'tests/prometheus/sluice.test.yml'), 'utf8'));
  const tried = tests.flatMap(({ alert_rule_test: list }) => list.filter(({ exp_alerts: some }) => some).map(({ alertname }) => alertname));
  for (const { alert } of groups.flatMap(({ rules }) => rules)) assert.ok(tried.includes(alert), alert);
});

test('panels of the dashboard lie beside each other and have ids of their own', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const [i, { gridPos: a, title }] of dashboard.panels.entries())
    for (const { gridPos: b } of dashboard.panels.slice(i + 1))
      assert.ok(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y, `${title} is covered`);
});
