// The rows of tests/http/framings.txt, which says how it is written.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { root } from './sluice.mjs';

const webhook = '{"messageId":"m","eventType":"t","payload":1}';
const words = { webhook, length: String(webhook.length), size: webhook.length.toString(16) };
const escapes = { r: '\r', n: '\n', t: '\t', 0: '\0', '\\': '\\' };

const expand = (line) =>
  line.replace(/<(?:(\w+)|(.)\*(\d+))>|\\(?:x(..)|(.))/g, (_, word, byte, count, hex, letter) =>
    word
      ? words[word]
      : byte
        ? byte.repeat(Number(count))
        : hex
          ? String.fromCharCode(parseInt(hex, 16))
          : escapes[letter],
  );

/** [{ name, statuses, bytes }] */
export async function framings() {
  const text = await readFile(join(root, 'tests/http/framings.txt'), 'utf8');
  return text
    .split('\n\n')
    .map((block) => block.split('\n').filter((line) => line && !line.startsWith('#')))
    .filter((lines) => lines.length)
    .map(([name, statuses, ...lines]) => ({
      name: name.slice(1, -1),
      statuses: statuses.split(' ').map(Number),
      bytes: Buffer.from(lines.map(expand).join(''), 'latin1'),
    }));
}
