// SQLite on a disk that forgets what was not synced, and whose syncs can fail: see tests/support/forget.c.

import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { makeDirectory } from '../../tests/integration/support/cleanup.mjs';
import { around, build, execute } from '../../tests/integration/support/sluice.mjs';
import { openStore } from '../../tests/integration/support/stores.mjs';

const settings = { listen: { deadline: '2s' } };
const impatient = { retry: { min: '10ms', max: '100ms' } };

/** `faults`: which syncs fail; `options`: of the stage. */
export async function world(t, { faults, options } = {}) {
  const place = await makeDirectory(t);
  const [directory, memory] = [join(place, 'data'), join(place, 'memory')];
  await mkdir(directory);
  await mkdir(memory);
  const store = await openStore(t, 'sqlite', directory);
  const disk = { LD_PRELOAD: join(build, 'tests/forget.so'), FORGET_DIRECTORY: directory, FORGET_MEMORY: memory };
  const cutPower = () => execute(join(build, 'tests/forget-apply'), [memory, directory]);
  const rows = async ({ server }) => {
    await server.stop('SIGKILL');
    await cutPower();
    return store.events();
  };
  /** When a sync failed for the last time, as performance.now() counts; undefined if none has. */
  const failedAt = () =>
    stat(join(memory, 'failed')).then(
      ({ mtimeMs }) => mtimeMs - performance.timeOrigin,
      () => undefined,
    );
  /** Of the file that fails, since the power came. */
  const countSyncs = () => readFile(join(memory, 'syncs'), 'utf8').then(Number, () => 0);
  return {
    place,
    directory,
    store,
    healthy: disk,
    env: { ...disk, ...faults },
    cutPower,
    rows,
    failedAt,
    countSyncs,
    pipeline: around(store.stage({ ...impatient, ...options }), settings),
  };
}
