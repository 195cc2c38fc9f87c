// Each transaction asks whether its tables have triggers or rules that are not ours (stages/library/postgres/standing.h). The
// question is a column of a statement that is sent anyway, so it costs no round trip; what it costs the server is counted here, with the
// statements as they are and without the question.

import { startPostgres } from '../../tests/integration/support/postgres.mjs';
import { scope } from '../faults/watch.mjs';
import { alone, batch, perTransaction, record } from '../support/instructions.mjs';

const question = /\(SELECT bit_or\(.*?'webhook_audit_trail_append_only'\)\)\)/;

function withoutQuestion(statements) {
  const without = statements.map((sql) => sql.replace(question, '0'));
  if (statements.every((sql, i) => sql === without[i])) throw new Error('no statement has the question');
  return without;
}

const t = scope();
try {
  const server = await startPostgres(t, 'log_statement=all');
  const kinds = [alone, batch(1), batch(25)];
  const texts = [];
  for (const kind of kinds) texts.push(await record(t, server, kind));
  await server.halt();
  await server.save('before');
  console.log('instructions of PostgreSQL for a transaction              with the question   without   ratio');
  for (const [i, kind] of kinds.entries()) {
    const counts = [];
    for (const statements of [texts[i], withoutQuestion(texts[i])]) {
      counts.push(await perTransaction(server, kind, statements));
    }
    const [asked, not] = counts.map((count) => Math.round(count));
    const name = `persist/${kind.stage}, ${kind.events} event${kind.events > 1 ? 's' : ''}`;
    console.log(`${name.padEnd(56)} ${String(asked).padStart(18)} ${String(not).padStart(9)} ${(asked / not).toFixed(3).padStart(7)}`);
  }
} finally {
  await t.finish();
}
