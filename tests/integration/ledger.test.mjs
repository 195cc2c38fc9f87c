// The judge of the kill campaigns finds what it looks for.

import assert from 'node:assert/strict';
import test from 'node:test';

import { compare, faults } from './support/load.mjs';

// Three events of a stream, sent and answered one after another on one connection.
function makeLedger() {
  const entries = ['a', 'b', 'c'].map((id, index) => ({
    id,
    index,
    stream: 's',
    payload: `{"index":${index}}`,
    attempts: 1,
    sentOn: 1,
    firstSent: 10 * index,
    keptAt: 10 * index + 5,
    keptAs: 202,
  }));
  return { entries: new Map(entries.map((entry) => [entry.id, entry])) };
}

const row = (entry) => ({
  message_id: entry.id,
  stream: entry.stream,
  payload: Buffer.from(entry.payload).toString('hex'),
});

// What is done to the ledger or to the rows → what is found.
const cases = {
  nothing: [() => {}, {}],
  'a row that is missing': [(entries, rows) => rows.splice(1, 1), { lost: 1 }],
  'a row that is there twice': [(entries, rows) => rows.push(rows[2]), { doubled: 1 }],
  'a payload with one more space': [(entries, rows) => (rows[1].payload += '20'), { altered: 1 }],
  'a row in another stream': [(entries, rows) => (rows[1].stream = 't'), { altered: 1 }],
  'a row that nobody sent': [(entries, rows) => rows.push({ ...rows[0], message_id: 'x' }), { unknown: 1 }],
  'two rows in each other’s place': [(entries, rows) => rows.splice(0, 2, rows[1], rows[0]), { outOfOrder: 2 }],
  'a stored event whose answer was lost': [(entries) => (entries.get('c').keptAt = undefined), { unanswered: 1 }],
  'pipelined events in each other’s place': [
    (entries, rows) => {
      entries.get('b').firstSent = 0;
      rows.splice(0, 2, rows[1], rows[0]);
    },
    { outOfOrder: 1 },
  ],
  'events on two connections at once, in either order': [
    (entries, rows) => {
      Object.assign(entries.get('b'), { firstSent: 0, sentOn: 2 });
      rows.splice(0, 2, rows[1], rows[0]);
    },
    {},
  ],
};

for (const [name, [spoil, expected]] of Object.entries(cases)) {
  test(`it finds ${name}`, () => {
    const ledger = makeLedger();
    const rows = [...ledger.entries.values()].map(row);
    spoil(ledger.entries, rows);
    const result = compare(ledger, rows);
    const { answered, stored, ...found } = result;
    const none = { unanswered: 0, lost: 0, doubled: 0, altered: 0, unknown: 0, outOfOrder: 0 };
    assert.deepEqual(found, { ...none, ...expected });
    assert.equal(
      faults(result) > 0,
      Object.keys(expected).some((key) => key !== 'unanswered'),
    );
    assert.equal(stored, rows.length);
    assert.equal(answered, expected.unanswered ? 2 : 3);
  });
}
