// What PostgreSQL does for an event that persist/postgres_batch stores, with the settings that change the rows: in instructions, and
// against the same events with the defaults. The tables are small, so that an index costs no look at the disk.

import { startPostgres } from '../../tests/integration/support/postgres.mjs';
import { Postgres } from '../../tests/integration/support/stores.mjs';
import { until } from '../../tests/integration/support/wait.mjs';
import { scope } from '../faults/watch.mjs';
import { batch, perTransaction, record } from '../support/instructions.mjs';

const [size, largeSize] = [25, 5]; // events of a batch
const words = ['order', 'created', 'paid', 'customer', 'address', 'street', 'total', 'currency', 'item', 'quantity'];

/** A JSON object of so many members; its words and numbers differ from event to event. */
const object = (members) => (i) =>
  `{${Array.from({ length: members }, (_, j) => `"${words[j % 10]}-${j}":"${words[(i + j * 7) % 10]} ${(i * 7919 + j * 104729) % 1000003}"`).join(',')}}`;
const [small, large] = [object(8), object(250)];

/** Indexes are made beside the traffic. */
const indexed = (...indexes) => ({
  options: { indexes },
  ready: (server) => {
    const valid = `SELECT count(*)::int AS count FROM pg_index WHERE indrelid = 'webhook_events'::regclass AND indisvalid`;
    const made = async () => (await new Postgres(server, server.url).query(valid))[0].count === 2 + indexes.length;
    return until('the indexes', made, { within: 60 });
  },
});
const typed = (type) => ({ options: { payload_type: type }, taken: 'text' });

const groups = [
  {
    title: `payloads of ${small(1).length} bytes`,
    kind: (rest) => batch(size, { payload: small, ...rest }),
    rows: {
      'as it is': {},
      'index event_type': indexed('event_type'),
      'index request_id': indexed('request_id'),
      'index event_type_message_id': indexed('event_type_message_id'),
      'these three': indexed('event_type', 'request_id', 'event_type_message_id'),
      'index received_at (BRIN)': indexed('received_at'),
      'payload_type json': typed('json'),
      'payload_type jsonb': typed('jsonb'),
    },
  },
  {
    title: `payloads of ${large(1).length} bytes`,
    kind: (rest) => batch(largeSize, { payload: large, ...rest }),
    rows: {
      'as it is': {},
      'payload_compression lz4': { options: { payload_compression: 'lz4' } },
      'payload_type jsonb': typed('jsonb'),
      'payload_type jsonb, lz4': { ...typed('jsonb'), options: { payload_type: 'jsonb', payload_compression: 'lz4' } },
    },
  },
];

/** On a server of its own. */
async function perEvent(kind) {
  const t = scope();
  try {
    const server = await startPostgres(t, 'log_statement=all');
    const statements = await record(t, server, kind);
    await server.halt();
    await server.save('before');
    return (await perTransaction(server, kind, statements)) / kind.events;
  } finally {
    await t.finish();
  }
}

for (const { title, kind, rows } of groups) {
  console.log(`${title.padEnd(40)} instructions for an event   ratio`);
  let base;
  for (const [name, rest] of Object.entries(rows)) {
    const count = await perEvent(kind(rest));
    base ??= count;
    console.log(`${`  ${name}`.padEnd(40)} ${String(Math.round(count)).padStart(25)} ${(count / base).toFixed(3).padStart(7)}`);
  }
}
