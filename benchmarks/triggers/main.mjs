// What storing costs the server: in a session of Sluice's own, where the statement is prepared and is its own transaction, and
// through a pooler, where it is sent whole, between BEGIN and COMMIT. Each transaction asks whether its tables have triggers or
// rules that are not ours (stages/library/postgres/standing.h). The question is a column of a statement that is sent anyway, so it
// costs no round trip; what it costs the server is counted here, with the statements as they are and without the question.

import { startPostgres } from '../../tests/integration/support/postgres.mjs';
import { scope } from '../faults/watch.mjs';
import { alone, batch, perTransaction, pooled, record } from '../support/instructions.mjs';

const question = /\(SELECT bit_or\(.*?'webhook_audit_trail_append_only'\)\)\)/;
const pairs = { 'persist/postgres': alone, 'persist/postgres_batch, 25 events': batch(25) };

function withoutQuestion(statements) {
  const store = statements.store.replace(question, '0');
  if (store === statements.store) throw new Error('the statement has no question');
  return { ...statements, store };
}

const row = (name, ...columns) => console.log([name.padEnd(50), ...columns.map((column, i) => String(column).padStart(i === 0 ? 18 : 9))].join(' '));

const t = scope();
try {
  const server = await startPostgres(t, 'log_statement=all');
  const texts = {};
  for (const [name, kind] of Object.entries(pairs)) texts[name] = await record(t, server, kind);
  await server.halt();
  await server.save('before');
  row('instructions of PostgreSQL for a transaction', 'with the question', 'without', 'ratio', 'to pooled');
  for (const [name, kind] of Object.entries(pairs)) {
    let base;
    for (const [place, each] of [[', through a pooler', pooled(kind)], ['', kind]]) {
      const asked = await perTransaction(server, each, texts[name]);
      const not = await perTransaction(server, each, withoutQuestion(texts[name]));
      base ??= asked;
      row(name + place, Math.round(asked), Math.round(not), (asked / not).toFixed(3), (asked / base).toFixed(3));
    }
  }
} finally {
  await t.finish();
}
