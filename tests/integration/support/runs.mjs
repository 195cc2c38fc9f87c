// Run directories as `compare` and `replay` leave them, with figures like those of a slow database: one statement an event
// against many events a statement.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The same numbers in every run: mulberry32, and from it normally distributed ones. */
function makeNoise(seed) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()) };
}

const labels = ['none', 'batched-writes'];
const percentiles = { p50: [152, 49.1], p95: [231, 62.1], p99: [287, 71.4] };
const hash = (text) => Buffer.from(text.repeat(32)).toString('hex').slice(0, 64);

const stagesOf = (arm) => [
  { kind: 'auth', name: 'hmac', version: '1.0.0', sha256: hash('auth'), spans: [] },
  { kind: 'parse', name: 'json', version: '1.0.0', sha256: hash('parse'), spans: [] },
  { kind: 'idempotency', name: 'memory', version: '1.0.0', sha256: hash('idem'), spans: [] },
  { kind: 'queue', name: 'memory', version: '1.0.0', sha256: hash('queue'), spans: [] },
  {
    kind: 'persist',
    name: 'postgres',
    version: '1.0.0',
    sha256: hash(`store${arm}`),
    spans: ['pool_wait', 'execute', 'commit'],
  },
];

export const makeRun = () => ({
  format: 1,
  command: 'compare',
  sluice: '0.1.0',
  started_at: '2026-11-25T22:00:00.000000Z',
  seconds: 131.4,
  interrupted: false,
  host: {
    cpus: 2,
    cpu: 'Intel(R) Xeon(R) Processor @ 2.90GHz',
    memory_bytes: 8294967296,
    kernel: 'Linux 6.1.0-28-amd64',
  },
  input: { file: 'input.jsonl', sha256: hash('input'), lines: 60000, first: 0, count: 60000 },
  schedule: {
    arrivals: 'uniform',
    rate: 500,
    connections: 50,
    seed: 1,
    requests: 60000,
    design: 'paired',
    blocks: 40,
    block_seconds: 3,
  },
  sign: 'standard-webhooks',
  retries: 0,
  arms: labels.map((label, arm) => ({
    label,
    url: `http://127.0.0.1:${5000 + arm}/webhooks`,
    pipeline: 'pipelines/postgres.yaml',
    sha256: hash(`arm${arm}`),
    optimizations: arm ? ['batched-writes'] : [],
    stages: stagesOf(arm),
  })),
  generator: { valid: true, reasons: [], lag_p50_ms: 0.021, lag_p95_ms: 0.118, lag_p99_ms: 0.64, cpu_share: 0.083 },
  results: {
    requests: 60000,
    answered: 59997,
    statuses: { 202: 58796, 200: 1198, 503: 3 },
    by_kind: { new: { requests: 58800, right: 58797 }, duplicate: { requests: 1200, right: 1200 } },
    expected_good: 60000,
    accepted: 59997,
    errors: 3,
    retried: 0,
    rate: 499.8,
    corrected: { p50_ms: 98.2, p95_ms: 214, p99_ms: 271, max_ms: 512 },
    raw: { p50_ms: 97.9, p95_ms: 213, p99_ms: 270, max_ms: 508 },
  },
});

const metric = (name, title, unit, a, b, halfWidth) => {
  const change = b / a - 1;
  return {
    name,
    title,
    unit,
    a,
    b,
    change,
    low: change - halfWidth,
    high: change + halfWidth,
    p: 0.0000019,
    detectable: halfWidth,
  };
};

const makeMetrics = () => [
  metric('p50', 'P50', 'ms', ...percentiles.p50, 0.011),
  metric('p95', 'P95', 'ms', ...percentiles.p95, 0.024),
  metric('p99', 'P99', 'ms', ...percentiles.p99, 0.048),
  metric('throughput', 'Throughput', '1/s', 499.6, 499.9, 0.004),
  metric('cpu_per_event', 'CPU per event', 'µs', 412, 361, 0.031),
  metric('memory', 'Memory', 'bytes', 61203456, 64712704, 0.065),
  metric('wal_per_event', 'WAL per event', 'bytes', 1822, 1179, 0.019),
];

/** A lognormal body through P50 and P95, and a tail that the one with the pool feels more. */
const latencyAt = (arm, q) => {
  const [p50, p95] = [percentiles.p50[arm], percentiles.p95[arm]];
  const depth = -Math.log10(1 - q);
  return p50 * (p95 / p50) ** ((depth - Math.log10(2)) / (Math.log10(20) - Math.log10(2)));
};

const makeQuantiles = () =>
  [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999].map((q) => {
    const [a, b] = [latencyAt(0, q), latencyAt(1, q)];
    const width = 0.01 + 0.02 * -Math.log10(1 - q);
    return { q, a, b, change: b / a - 1, low: b / a - 1 - width, high: b / a - 1 + width };
  });

function makeBlocks(noise) {
  const blocks = [];
  let start_s = 5;
  for (let pair = 0; pair < 20; pair++) {
    const leader = noise.uniform() < 0.5 ? 0 : 1;
    const weather = Math.exp(noise.normal() * 0.06);
    for (const arm of [leader, 1 - leader]) {
      const [p50_ms, p95_ms, p99_ms] = ['p50', 'p95', 'p99'].map(
        (name) => percentiles[name][arm] * weather * Math.exp(noise.normal() * 0.04),
      );
      blocks.push({
        pair,
        arm,
        first: arm === leader,
        start_s,
        p50_ms,
        p95_ms,
        p99_ms,
        requests: 1500,
        errors: pair === 13 && arm === 0 ? 3 : 0,
      });
      start_s += 3.15;
    }
  }
  return blocks;
}

const makeStages = () =>
  [
    ['unsent', 'waiting to be sent', [0.03, 0.03], [0.04, 0.04]],
    ['inbound', 'to the server', [0.21, 0.2], [0.31, 0.3]],
    ['auth', 'auth', [0.08, 0.08], [0.11, 0.1]],
    ['parse', 'parse', [0.05, 0.05], [0.07, 0.07]],
    ['idempotency', 'idempotency', [0.02, 0.02], [0.03, 0.03]],
    ['queue', 'queue', [31.2, 4.8], [54.6, 11.7]],
    ['persist', 'persist', [118.4, 46.2], [182.5, 52.3]],
    ['rest', 'not accounted for', [0.04, 0.05], [0.3, 0.2]],
    ['respond', 'respond', [0.09, 0.09], [0.17, 0.15]],
    ['outbound', 'back to the sender', [0.1, 0.1], [0.2, 0.2]],
  ].map(([stage, title, body_ms, tail_ms]) => ({ stage, title, body_ms, tail_ms }));

/** Steps one after the other, from their lengths. */
function stepsOf(lengths) {
  let start_ms = 0;
  return Object.entries(lengths).map(([name, took_ms]) => {
    const step = { name, start_ms, took_ms };
    start_ms += took_ms;
    return step;
  });
}

const makeSlowest = (noise) =>
  [0, 1].flatMap((arm) =>
    [1, 0.93, 0.9].map((share) => {
      const wobble = () => share * (0.95 + 0.1 * noise.uniform());
      const steps = stepsOf({
        'waiting to be sent': 0.04 * wobble(),
        'to the server': 0.31 * wobble(),
        auth: 0.12 * wobble(),
        parse: 0.07 * wobble(),
        idempotency: 0.03 * wobble(),
        queue: (arm ? 41 : 118) * wobble(),
        persist: (arm ? 58 : 272) * wobble(),
        respond: 0.2 * wobble(),
        'back to the sender': 0.2 * wobble(),
      });
      const total_ms = steps.reduce((sum, { took_ms }) => sum + took_ms, 0);
      return {
        arm,
        request_id: `r-5f3a91c2-${Math.floor(noise.uniform() * 60000)}`,
        at_s: 5 + 120 * noise.uniform(),
        total_ms,
        steps,
      };
    }),
  );

export function makeComparison() {
  const noise = makeNoise(4);
  return {
    format: 1,
    design: 'paired',
    pairs: 20,
    alpha: 0.05,
    margin: 0.05,
    verdict: {
      outcome: 'better',
      metric: 'p95',
      sentence: 'batched-writes lowers P95 by 73.1 % (95 % interval: 70.7 % to 75.5 %), from 231 ms to 62.1 ms.',
      more_pairs: 0,
    },
    arms: labels.map((label) => ({ label })),
    notes: ['none: 3 of 30000 responses were wrong; each counts as 30 s.'],
    looks: [
      { pairs: 10, p: 0.00195, threshold: 0.00005, stopped: false },
      { pairs: 20, p: 0.0000019, threshold: 0.0042, stopped: true },
    ],
    metrics: makeMetrics(),
    quantiles: makeQuantiles(),
    blocks: makeBlocks(noise),
    stages: makeStages(),
    slowest: makeSlowest(noise),
    violations: [0, 1].map((arm) => ({ arm, lost: 0, doubled: 0, altered: 0, reordered: 0 })),
  };
}

const criterion = (name, title, value, limit, bound, figures) => ({
  name,
  title,
  verdict: 'met',
  value,
  limit,
  bound,
  figures,
});

export const makeGate = () => ({
  file: 'benchmarks/gates/gate-a.yaml',
  outcome: 'CONDITIONAL',
  sentence: 'CONDITIONAL: P95 of auth: not measured.',
  next: 'Join the trace of the server to the run, so that stages have times. Then run the gate again.',
  rows: [
    criterion('p95', 'P95', '62.1 ms', '≤ 120 ms', '63.4 ms', { unit: 'ms', limit: 120 }),
    criterion('p99', 'P99', '71.4 ms', '≤ 200 ms', '74.9 ms', { unit: 'ms', limit: 200 }),
    criterion('acceptance', 'accepted', '99.995 %', '≥ 99.900 %', '99.985 %', { unit: 'share', limit: 0.999 }),
    criterion('errors', 'errors', '0.005 %', '≤ 0.100 %', '0.015 %', { unit: 'share', limit: 0.001 }),
    criterion('violations', 'violations', '0', '≤ 0', '', { unit: 'number', limit: 0 }),
    {
      ...criterion('stages.auth', 'P95 of auth', '', '≤ 8.00 ms', '', { unit: 'ms', limit: 8 }),
      verdict: 'not measured',
    },
  ],
});

/** Writes {"run.json": …} into the directory; texts as they are. */
export const writeDocuments = (directory, documents) =>
  Promise.all(
    Object.entries(documents).map(([name, document]) =>
      writeFile(join(directory, name), typeof document === 'string' ? document : JSON.stringify(document)),
    ),
  );
