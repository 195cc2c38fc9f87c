// The parts: what each compares, and what is true of it. A part is a list of comparisons of which one is done at a time.

import { around } from '../../tests/integration/support/sluice.mjs';
import { damage, damages } from './damage.mjs';
import { planted } from './laboratory.mjs';
import { spread, stores } from './size.mjs';

const microseconds = (ms) => `${Math.max(1, Math.round(ms * 1000))}us`;

const delayed = (stage, ms) => ({ about: 'A planted delay', stages: { [stage]: { delay: microseconds(ms) } } });

const seed = (number) => ['--seed', String(number + 1)];

/** Lives of two servers that are the same. */
const lives = (store) => ({
  about: 'short lives of two servers that are the same; comparisons are drawn from them',
  minutes: 25,
  items: ({ lives }) => Array.from({ length: lives }, () => store),
  run: (lab, of, number) => lab.compareItself(of, [...seed(number), ...lab.size.life]),
});

const same = {
  about: 'a pipeline with itself',
  minutes: 36,
  items: ({ same }) => spread(same.each),
  run: (lab, store, number) => lab.compareItself(store, [...seed(number), ...lab.size.same.load]),
};

const disturbed = {
  about: 'the same, beside something that uses the disk and a processor',
  minutes: 20,
  items: ({ disturbed }) => spread(disturbed.each),
  run: (lab, store, number) => lab.disturb(() => lab.compareItself(store, [...seed(number), ...lab.size.disturbed.load])),
};

/** One request waits for another's delay where there are as few threads as the default. */
async function changed(lab, store, delay_ms) {
  const auth = { auth: planted('auth', 'none') };
  const optimizations = { slower: delayed('auth', delay_ms) };
  return around(await lab.persist(store), { auth, listen: { threads: 8 }, queue: { workers: store === 'sqlite' ? 1 : 4 }, optimizations });
}

/** The P95 that the pipeline has without the delay: in the comparison before, or of itself where there was none. */
async function calibrate(lab, store, before) {
  const last = before.filter((result) => result?.store === store && result.base_ms > 0).at(-1);
  return last?.base_ms ?? lab.measure(await changed(lab, store, 0.001), ['--pairs', '5', '--block', '2s']);
}

/** B's P95 is that many percent above A's, or below it: each request of one of them takes as much longer. */
const change = (amount, sign) => ({
  items: (size) => spread(amount(size).each),
  async run(lab, store, number, before) {
    const { percent, load } = amount(lab.size);
    const base = await calibrate(lab, store, before);
    const delay_ms = sign > 0 ? (base * percent) / 100 : (base * percent) / (100 - percent);
    const arms = sign > 0 ? ['--a', 'none', '--b', 'slower'] : ['--a', 'slower', '--b', 'none'];
    const result = await lab.compare(await changed(lab, store, delay_ms), [...arms, ...seed(number), ...load]);
    const base_ms = sign > 0 ? result.a : result.b;
    const share = sign > 0 ? delay_ms / base_ms : -delay_ms / (base_ms + delay_ms);
    return { ...result, store, delay_ms, base_ms, truth: base_ms > 0 ? share : undefined };
  },
});

const names = { auth: 'none', parse: 'json', idempotency: 'memory', queue: 'memory', persist: 'sqlite' };

/** A delay three times as long as all else takes, in each stage in turn. Of 16 threads and workers four are in it at a time, so that
 * it makes nothing wait in another stage's name. */
const stages = {
  about: 'a delay in each stage in turn: does `sluice analyze` name it?',
  minutes: 12,
  items: ({ stages }) => Object.keys(names).flatMap((stage) => Array.from({ length: stages.each }, () => stage)),
  async run(lab, stage, number, before) {
    const store = number % 2 ? 'postgres' : 'sqlite';
    const base = before.filter((result) => result?.store === store).at(-1)?.base_ms;
    const own = Object.fromEntries(Object.entries({ ...names, persist: store }).map(([kind, name]) => [kind, planted(kind, name)]));
    const make = async (delay_ms) =>
      around(await lab.persist(store, own.persist), {
        auth: { auth: own.auth },
        parse: { parse: own.parse },
        idempotency: { idempotency: own.idempotency },
        queue: { queue: own.queue, workers: 16 },
        listen: { threads: 16 },
        optimizations: { slower: delayed(stage, delay_ms) },
      });
    const at = (rate) => ['--block', '5s', '--rate', `${rate}`];
    const base_ms = base ?? (await lab.runAlone(await make(0.001), ['--b', 'none', ...at(100)])).p95_ms;
    const delay_ms = Math.max(10, 3 * base_ms);
    const rate = Math.max(5, Math.min(100, Math.floor(4000 / delay_ms)));
    const { hotspot: named } = await lab.runAlone(await make(delay_ms), ['--b', 'slower', ...at(rate)]);
    return { store, stage, base_ms, delay_ms, named };
  },
};

/** An event that arm B's store loses, doubles or misplaces. */
const events = {
  about: 'an event that is lost, doubled or misplaced by the store',
  minutes: 8,
  items: ({ events }) =>
    ['lost', 'doubled', 'reordered'].flatMap((what) => {
      const able = stores.filter((store) => damages[store][what]);
      return Array.from({ length: events.each }, (_, i) => ({ what, store: able[i % able.length] }));
    }),
  async run(lab, { what, store }) {
    const url = store === 'postgres' ? await lab.postgres() : '';
    const load = ['--aa', '--pairs', '2', '--block', '1s', '--duplicates', '0%', '--prepare', damage(store, what, url)];
    const result = await lab.compare(around(await lab.persist(store)), load);
    return { ...result, store, what };
  },
};

export const parts = {
  'lives-sqlite': lives('sqlite'),
  'lives-postgres': lives('postgres'),
  same,
  'plus-10': { about: 'B has a P95 that is a tenth higher', minutes: 36, ...change(({ large }) => large, 1) },
  'minus-10': { about: 'B has a P95 that is a tenth lower', minutes: 36, ...change(({ large }) => large, -1) },
  'plus-2': { about: 'B has a P95 that is 2 % higher, which does not matter', minutes: 19, ...change(({ small }) => small, 1) },
  stages,
  events,
  disturbed,
};
