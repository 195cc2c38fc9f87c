// One comparison at a time, and what is kept of it: DIRECTORY/PART/NUMBER.json. A result that is there is not made again.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { startPostgres } from '../../tests/integration/support/postgres.mjs';
import { build, execute, root, sluice, writePipeline } from '../../tests/integration/support/sluice.mjs';
import { within } from '../../tests/integration/support/wait.mjs';

const json = async (...path) => JSON.parse(await readFile(join(...path), 'utf8'));

/** The stage of that kind with the option `delay`. */
export const planted = (kind, name) => join(build, 'benchmarks/stages', kind, `planted-${name}.so`);

/** Runs bench-trust; its `name=value` words as an object of numbers. */
export async function calculate(args, input) {
  const { code, stdout, stderr } = await execute(join(build, 'benchmarks/bench-trust'), args.map(String), { input, seconds: 120 });
  if (code !== 0) throw new Error(stderr);
  return Object.fromEntries(stdout.trim().split(/\s+/).map((word) => word.split('=')).map(([name, value]) => [name, Number(value)]));
}

export class Laboratory {
  constructor(t, size) {
    Object.assign(this, { t, size, directory: join(build, size.folder) });
  }

  #file(part, number) {
    return join(this.directory, part, `${String(number + 1).padStart(2, '0')}.json`);
  }

  /** What is kept of the part's comparisons, undefined where there is none yet. */
  results(part, count) {
    return Promise.all(
      Array.from({ length: count }, async (_, number) =>
        existsSync(this.#file(part, number)) ? json(this.#file(part, number)) : undefined,
      ),
    );
  }

  async keep(part, number, result) {
    const file = this.#file(part, number);
    await mkdir(join(this.directory, part), { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify(result));
    await rename(`${file}.new`, file);
  }

  /** A PostgreSQL that keeps its promises, for as long as this runs. */
  async postgres() {
    this.server ??= await startPostgres(this.t, 'fsync=on', 'synchronous_commit=on', 'max_connections=300');
    return this.server.url;
  }

  async persist(store, stage = store) {
    return store === 'sqlite' ? { persist: stage, path: 'never-used.db' } : { persist: stage, url: await this.postgres() };
  }

  async #run(pipeline, args, env) {
    const run = join(this.directory, 'run');
    await mkdir(this.directory, { recursive: true });
    await rm(run, { recursive: true, force: true });
    const file = typeof pipeline === 'string' ? pipeline : await writePipeline(this.directory, pipeline);
    const { code, stderr } = await sluice(['compare', file, ...args, '--output', run], { env, seconds: 1800 });
    if (code === 2 || code === null) throw new Error(stderr);
    return run;
  }

  /** Runs a comparison, and gives what is worth keeping of it. */
  async compare(pipeline, args, env = {}) {
    const begun = Date.now();
    const run = await this.#run(pipeline, args, env);
    const { verdict, metrics, blocks, rules } = await json(run, 'compare.json');
    const { arms } = await json(run, 'verify.json');
    const { a, b, change, low, high } = metrics.find(({ name }) => name === 'p95') ?? {}; // none where the host stalled in all pairs
    const p95 = [0, 1].map((arm) => blocks.filter((block) => block.arm === arm && !block.dropped).map(({ p95_ms }) => p95_ms));
    await rm(run, { recursive: true });
    return {
      at: new Date(begun).toISOString(),
      seconds: (Date.now() - begun) / 1000,
      rules,
      outcome: verdict.outcome,
      sentence: verdict.sentence,
      ...{ a, b, change, low, high, p95 },
      violations: arms.map(({ lost, doubled, altered, reordered }) => ({ lost, doubled, altered, reordered })),
    };
  }

  /** The P95 of a pipeline that is compared with itself. */
  async measure(pipeline, args) {
    const { a, sentence } = await this.compare(pipeline, ['--aa', ...args]);
    if (!(a > 0)) throw new Error(`no P95 to plant a share of: ${sentence} Try again when the machine is quieter.`);
    return a;
  }

  /** The same with a pipeline of the tree. */
  async compareItself(store, args) {
    const file = join(root, 'pipelines', store === 'sqlite' ? 'quickstart.yaml' : 'postgres.yaml');
    const env = store === 'sqlite' ? {} : { DB_URL: await this.postgres() };
    return this.compare(file, ['--aa', ...args], env);
  }

  /** B alone under load; gives its P95, and the part that `analyze` names as its hotspot. */
  async runAlone(pipeline, args) {
    const run = await this.#run(pipeline, ['--single', ...args]);
    const { code, stdout, stderr } = await sluice(['analyze', run, '--json']);
    if (code !== 0) throw new Error(stderr);
    const [{ hotspot, total }] = JSON.parse(stdout).analyses;
    await rm(run, { recursive: true });
    return { hotspot, p95_ms: total.p95_ms };
  }

  /** Something else uses the disk and a processor while `action` runs. */
  async disturb(action) {
    const args = ['--quiet', '--hdd', '1', '--hdd-bytes', '256m', '--cpu', '1', '--temp-path', this.directory];
    const disturber = spawn('stress-ng', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    disturber.stderr.on('data', (bytes) => (said += bytes));
    const ended = new Promise((done) => disturber.on('close', done).on('error', (error) => done((said = error.message))));
    try {
      const result = await action();
      if (disturber.exitCode !== null || disturber.pid === undefined) throw new Error(`stress-ng ended early: ${said}`);
      return result;
    } finally {
      disturber.kill('SIGTERM');
      await within(20, 'the end of stress-ng', ended);
    }
  }
}
