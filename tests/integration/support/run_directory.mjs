// A run directory, written by hand as docs/internals/run-directory.md and core/trace/trace.h describe it.

import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const headerSize = 1088;
const recordSize = 544;

function traceHeader() {
  const header = Buffer.alloc(headerSize);
  header.write('SLUICETR', 0, 'latin1');
  header.writeUInt32LE(1, 8); // version
  header.writeUInt32LE(headerSize, 12);
  header.writeUInt32LE(recordSize, 16);
  header.writeUInt32LE(2, 20); // of a sender
  return header;
}

// `sent` and `answered` in ns.
function traceRecord({ line, sent, answered, status, arm = 0 }) {
  const record = Buffer.alloc(recordSize);
  record.writeBigInt64LE(BigInt(sent), 0); // intended
  record.writeBigInt64LE(BigInt(sent), 8);
  record.writeBigInt64LE(BigInt(answered), 16);
  record.writeUInt32LE(line, 40);
  record.writeUInt16LE(status, 48);
  record[50] = arm;
  return record;
}

/** `lines`: the input, as text; `requests`: of each the line, sent, answered, status and arm. */
export async function writeRun(directory, lines, requests, arms = [{ id_prefix: '' }]) {
  const input = lines.map((line) => `${line}\n`).join('');
  const sha256 = createHash('sha256').update(input).digest('hex');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'input.jsonl'), input);
  await writeFile(join(directory, 'run.json'), JSON.stringify({ format: 1, input: { sha256 }, arms }));
  await writeFile(join(directory, 'requests.bin'), Buffer.concat([traceHeader(), ...requests.map(traceRecord)]));
}
