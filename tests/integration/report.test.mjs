// The report of a run, opened in a browser as its reader would.

import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';

import { openBrowser } from './support/browser.mjs';
import { makeDirectory } from './support/cleanup.mjs';
import { makeComparison, makeGate, makeRun, writeDocuments } from './support/runs.mjs';
import { sluice } from './support/sluice.mjs';

const compared = () => ({ 'run.json': makeRun(), 'compare.json': makeComparison(), 'gate.json': makeGate() });

const stacks = {
  'stacks-a.folded': 'http;parse 200\nworker;store;insert 300\nworker;store;commit;fdatasync 500\n',
  'stacks-b.folded': 'http;parse 210\nworker;store;insert 290\nworker;store;commit;fdatasync 100\nworker;store;checksum 250\n',
};

let browser;

async function report(t, documents) {
  const directory = await makeDirectory(t);
  await writeDocuments(directory, documents);
  const { code, stdout, stderr } = await sluice(['report', `${directory}/`]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${directory}/report.html\n`);
  return pathToFileURL(stdout.trim()).href;
}

async function open(t, documents, look = { width: 1100 }) {
  const url = await report(t, documents);
  const page = await browser.openPage(t);
  await page.look(look);
  await page.open(url);
  return page;
}

/** Kept for who wants to look at them: SLUICE_SCREENSHOTS=DIR. */
async function keep(name, bytes) {
  const folder = process.env.SLUICE_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), bytes);
}

const shownCharts = `[...document.querySelectorAll('[data-chart]')].filter((section) => section.checkVisibility()).map((section) => section.dataset.chart)`;
const drawings = `document.querySelectorAll('svg[role=img]').length`;
const unnamed = `[...document.querySelectorAll('svg[role=img]')].filter((svg) => !svg.querySelector('title')?.textContent || !svg.querySelector('desc')?.textContent).length`;
const impossible = `[...document.querySelectorAll('svg *')].filter((node) => [...node.attributes].some(({ value }) => /NaN|Infinity|undefined/.test(value))).length`;

// What is written or drawn to the right of the window, or of its own drawing.
const overflowing = `(() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (node) => node.closest('.scroll');
  return [...document.querySelectorAll('body *')]
    .filter((node) => !scrolls(node) && node.getBoundingClientRect().width > 0)
    .filter((node) => node.getBoundingClientRect().right > width + 1 || node.getBoundingClientRect().left < -1)
    .map((node) => node.outerHTML.slice(0, 120));
})()`;

test('in a browser', async (t) => {
  browser = await openBrowser(t);

  await t.test('a comparison is shown with all its charts, and nothing is complained of or fetched', async (t) => {
    const page = await open(t, compared());
    assert.deepEqual(page.complaints(), []);
    assert.deepEqual(await page.evaluate(shownCharts), ['percentiles', 'difference', 'blocks', 'stages', 'slowest']);
    assert.equal(await page.evaluate(drawings), 7 /* intervals */ + 4 + 6 /* requests */);
    assert.equal(await page.evaluate(unnamed), 0);
    assert.equal(await page.evaluate(impossible), 0);
    assert.equal(page.requests().filter((url) => !/^(file|about|data):/.test(url)).length, 0);
    assert.equal(await page.evaluate(`document.querySelectorAll('.limit').length`), 3 /* P95, P99 and the key */);
  });

  for (const [name, look] of Object.entries({
    'desktop-light': { width: 1100 },
    'desktop-dark': { width: 1100, scheme: 'dark' },
    phone: { width: 360, height: 780, scale: 2, mobile: true },
    'phone-dark': { width: 360, height: 780, scale: 2, mobile: true, scheme: 'dark' },
  })) {
    await t.test(`nothing reaches beyond the window: ${name}`, async (t) => {
      const page = await open(t, compared(), look);
      assert.deepEqual(await page.evaluate(overflowing), []);
      assert.ok(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'));
      assert.equal(await page.evaluate('window.innerWidth'), look.width);
      assert.equal(
        await page.evaluate(`getComputedStyle(document.body).backgroundColor`),
        look.scheme === 'dark' ? 'rgb(21, 25, 28)' : 'rgb(253, 253, 252)',
      );
      await keep(`${name}.png`, await page.screenshot());
    });
  }

  await t.test('stacks of both arms are one flame graph, which shows what became more', async (t) => {
    for (const look of [{ width: 1100 }, { width: 1100, scheme: 'dark' }, { width: 360, height: 780, scale: 2, mobile: true }]) {
      const page = await open(t, { ...compared(), ...stacks }, look);
      assert.deepEqual(page.complaints(), []);
      assert.deepEqual(await page.evaluate(overflowing), []);
      assert.equal(await page.evaluate(unnamed), 0);
      assert.equal(await page.evaluate(impossible), 0);
      assert.ok((await page.evaluate(shownCharts)).includes('flame'));
      const fillOf = (name) =>
        `[...document.querySelectorAll('.frame')].find((frame) => frame.querySelector('title').textContent.startsWith('${name}:')).querySelector('rect').getAttribute('style')`;
      assert.match(await page.evaluate(fillOf('fdatasync')), /--a\)/);
      assert.match(await page.evaluate(fillOf('checksum')), /--b\)/);
      assert.match(await page.evaluate(fillOf('insert')), /--margin\)/);
      assert.match(await page.evaluate(`document.querySelector('[data-chart=flame] table').innerText`), /fdatasync[\s\S]*checksum/);
      await keep(`flame-${look.scheme ?? 'light'}-${look.width}.png`, await page.screenshot());
      await page.evaluate(`[...document.querySelectorAll('.frame')].find((frame) => frame.textContent.includes('worker')).dispatchEvent(new Event('click'))`);
      assert.equal(await page.evaluate(`document.querySelectorAll('.frame title')[0].textContent.split(':')[0]`), 'worker');
    }
  });

  await t.test('the charts are drawn anew when the window becomes another', async (t) => {
    const page = await open(t, compared());
    const box = `document.querySelector('[data-chart=blocks] svg[role=img]').getAttribute('viewBox')`;
    const wide = await page.evaluate(box);
    await page.look({ width: 500 });
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
    assert.notEqual(await page.evaluate(box), wide);
    assert.equal(await page.evaluate(drawings), 17);
  });

  await t.test('it can be printed', async (t) => {
    const page = await open(t, compared(), { width: 1100, scheme: 'dark' });
    const pdf = await page.pdf();
    assert.equal(pdf.subarray(0, 5).toString(), '%PDF-');
    await keep('print.pdf', pdf);
  });

  await t.test('without its script the verdict and the tables are there', async (t) => {
    const page = await open(t, compared(), { width: 1100, script: false });
    const text = await page.evaluate('document.body.innerText');
    for (const words of [
      'Better',
      'lowers P95 by 73.1',
      '231\u00a0ms',
      '62.1\u00a0ms',
      'Gate: CONDITIONAL',
      'The charts are drawn by a script',
    ])
      assert.ok(text.includes(words), `expected ${words} in\n${text}`);
    assert.deepEqual(await page.evaluate(shownCharts), []);
  });

  await t.test('a run of one server shows its own latencies and no difference', async (t) => {
    const run = makeRun();
    const page = await open(t, { 'run.json': { ...run, command: 'replay', arms: run.arms.slice(0, 1) } });
    assert.deepEqual(page.complaints(), []);
    assert.deepEqual(await page.evaluate(shownCharts), ['percentiles']);
    assert.match(await page.evaluate(`document.querySelector('h1').innerText`), /^Measured/);
    await keep('replay.png', await page.screenshot());
  });

  await t.test('a text from a document stays a text', async (t) => {
    const evil = '</script><script>window.broken = 1</script><img src=x onerror="window.broken = 2">\u2028';
    const documents = compared();
    documents['compare.json'].arms[1].label = evil;
    documents['compare.json'].verdict.sentence = evil;
    documents['compare.json'].stages[0].title = evil;
    documents['compare.json'].slowest[0].steps[0].name = evil;
    documents['run.json'].arms[0].pipeline = evil;
    const page = await open(t, documents);
    assert.deepEqual(page.complaints(), []);
    assert.equal(await page.evaluate('window.broken'), undefined);
    assert.equal(await page.evaluate(`document.querySelectorAll('img, script').length`), 2);
    assert.ok((await page.evaluate(`document.querySelector('[data-chart=stages]').innerText`)).includes('</script>'));
  });
});

test('the page is small', async (t) => {
  const directory = await makeDirectory(t);
  await writeDocuments(directory, compared());
  await sluice(['report', directory]);
  const file = join(directory, 'report.html');
  assert.ok((await stat(file)).size < 80_000);
  assert.doesNotMatch(await readFile(file, 'utf8'), /(src|href)=|@import|url\(/);
});

test('a directory that is no run is refused with a sentence', async (t) => {
  const directory = await makeDirectory(t);
  const { code, stderr } = await sluice(['report', directory]);
  assert.equal(code, 2);
  assert.match(stderr, /run\.json: cannot be read: No such file/);
});
