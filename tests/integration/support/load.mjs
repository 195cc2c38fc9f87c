// Senders that never give up, and the ledger of what they were told.
//
// Each sender has a stream of its own. It sends in order, `depth` requests back to back, and sends again, in order,
// what was not answered with a 2xx, across lost connections and restarts of the server, until it is told to stop.

import { cleanup } from './cleanup.mjs';
import { Connection } from './client.mjs';
import { randomFrom, webhook } from './events.mjs';
import { pause, until, within } from './wait.mjs';

class Sender {
  constructor(load, name, depth) {
    Object.assign(this, { load, name, depth, pending: [], count: 0, connections: 0 });
  }

  #next() {
    const index = this.count++;
    const id = `${this.name}-${index}`;
    const payload = `{"index":${index},"noise":"${'x'.repeat(Math.floor(this.load.random() * this.load.noise))}"}`;
    const body = webhook(id, { payload, stream: this.name, sequence: index });
    const entry = { id, stream: this.name, index, body, payload, attempts: 0 };
    this.load.entries.set(id, entry);
    return entry;
  }

  async #connect() {
    while (!this.load.stopping) {
      try {
        this.connection = await Connection.open(this.load.url);
        this.connections++;
        return;
      } catch {
        await pause(10); // nobody listens now
      }
    }
  }

  async #send(entry) {
    entry.attempts++;
    entry.firstSent ??= performance.now();
    entry.sentOn = this.connections;
    const begun = performance.now();
    try {
      const response = await this.connection.request({ body: entry.body });
      response.took = response.at - begun;
      this.load.note(entry, response);
      return response.status < 300;
    } catch {
      this.load.cut++;
      return false;
    }
  }

  async run() {
    while (!this.load.stopping) {
      if (!this.connection?.isOpen) await this.#connect();
      if (this.load.stopping) break;
      while (this.pending.length < this.depth) this.pending.push(this.#next());
      const kept = await Promise.all(this.pending.map((entry) => this.#send(entry)));
      this.pending = this.pending.filter((_, i) => !kept[i]);
      if (this.pending.length && this.connection.isOpen) await pause(20);
    }
    this.connection?.close();
  }
}

export class Load {
  /** Ends with the test. `depths`: a sender for each, with so many requests on the way at once; `noise`: bytes of a payload,
   * up to which its size is random. */
  constructor(t, url, { depths = [1, 1, 1, 1, 1, 1, 4, 8], seed = 1, name = 's', noise = 300 } = {}) {
    Object.assign(this, { url, noise, entries: new Map(), stopping: false, cut: 0, kept: 0, answers: {}, refusals: [] });
    this.random = randomFrom(seed);
    this.senders = depths.map((depth, i) => new Sender(this, `${name}${i}`, depth));
    cleanup(t, () => {
      this.stopping = true;
      this.senders.forEach((sender) => sender.connection?.close());
    });
  }

  start() {
    this.stopping = false;
    this.running = Promise.all(this.senders.map((sender) => sender.run()));
  }

  note(entry, response) {
    this.answers[response.status] = (this.answers[response.status] ?? 0) + 1;
    if (response.status >= 300) {
      this.refusals.push(response);
      return;
    }
    this.kept++;
    entry.keptAt = response.at;
    entry.keptAs = response.status;
  }

  /** So many more 2xx than now. */
  progress(count, options) {
    const goal = this.kept + count;
    return until(`${count} more events to be accepted`, () => this.kept >= goal, options);
  }

  /** No more is sent; what is on the way gets its answer. */
  async stop() {
    this.stopping = true;
    await within(30, 'the answers to what was sent', this.running);
  }
}

// How many stand behind one that was sent only after they had their answer, or that went before on the same connection.
function countDisorder(entriesInStoredOrder) {
  let disorder = 0;
  let latestSent = -Infinity;
  const lastIndexOn = new Map();
  for (const entry of entriesInStoredOrder) {
    if (entry.keptAt < latestSent) disorder++;
    latestSent = Math.max(latestSent, entry.firstSent);
    if (entry.attempts > 1 || entry.keptAs !== 202) continue;
    if ((lastIndexOn.get(entry.sentOn) ?? -1) > entry.index) disorder++;
    lastIndexOn.set(entry.sentOn, entry.index);
  }
  return disorder;
}

/** What the senders were told against what the store has. `unanswered`: stored, and the answer did not arrive. */
export function compare(load, rows) {
  const result = {
    answered: 0,
    stored: rows.length,
    unanswered: 0,
    lost: 0,
    doubled: 0,
    altered: 0,
    unknown: 0,
    outOfOrder: 0,
  };
  const seen = new Set();
  const streams = new Map();
  for (const row of rows) {
    const entry = load.entries.get(row.message_id);
    if (!entry) {
      result.unknown++;
      continue;
    }
    if (seen.has(entry.id)) result.doubled++;
    seen.add(entry.id);
    if (Buffer.from(row.payload, 'hex').toString() !== entry.payload || row.stream !== entry.stream) result.altered++;
    if (!streams.has(entry.stream)) streams.set(entry.stream, []);
    streams.get(entry.stream).push(entry);
  }
  for (const entry of load.entries.values()) {
    if (entry.keptAt === undefined) {
      if (seen.has(entry.id)) result.unanswered++;
      continue;
    }
    result.answered++;
    if (!seen.has(entry.id)) result.lost++;
  }
  for (const entries of streams.values()) result.outOfOrder += countDisorder(entries);
  return result;
}

export const faults = ({ lost, doubled, altered, unknown, outOfOrder }) =>
  lost + doubled + altered + unknown + outOfOrder;
