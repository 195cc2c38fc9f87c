// GitHub's own payloads, signed as GitHub signs them, through pipelines/github.yaml into both stores.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import test from 'node:test';

import { sign } from '@octokit/webhooks-methods';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection } from './support/client.mjs';
import { root, sluice, start } from './support/sluice.mjs';
import { kinds, openStore } from './support/stores.mjs';

const examples = createRequire(import.meta.url)('@octokit/webhooks-examples');
const secret = "It's a Secret to Everybody";

const deliveries = await Promise.all(
  examples
    .flatMap(({ name, examples }) => examples.map((example) => ({ name, body: JSON.stringify(example) })))
    .map(async ({ name, body }, i) => ({
      id: `72d3162e-cc78-11e3-81ab-${String(i).padStart(12, '0')}`,
      event: name,
      body,
      signature: await sign(secret, body),
    })),
);

function asRequest({ id, event, body, signature }) {
  return {
    body,
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': 'GitHub-Hookshot/044aadd',
      'X-GitHub-Delivery': id,
      'X-GitHub-Event': event,
      'X-Hub-Signature-256': signature,
    },
  };
}

async function deliver(url, requests) {
  const connections = await Promise.all(Array.from({ length: 8 }, () => Connection.open(url)));
  const responses = new Array(requests.length);
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (next < requests.length) {
        const i = next++;
        responses[i] = await connection.request(requests[i]);
      }
      connection.close();
    }),
  );
  return responses;
}

function countBy(responses, describe) {
  const counts = {};
  for (const response of responses) counts[describe(response)] = (counts[describe(response)] ?? 0) + 1;
  return counts;
}

const outcome = (response) => `${response.status} ${response.json().status}`;

for (const kind of kinds) {
  test(`all 329 GitHub payloads are accepted once and stored byte for byte in ${kind}`, async (t) => {
    assert.equal(deliveries.length, 329);
    const directory = await makeDirectory(t);
    const store = await openStore(t, kind, directory);
    const { persist, ...options } = store.stage();
    const args = ['--set', `persist=${persist}`];
    for (const [name, value] of Object.entries(options)) args.push('--set', `persist.${name}=${value}`);
    const env = { WEBHOOK_SECRET: secret };
    const file = join(root, 'pipelines/github.yaml');
    const server = await start(t, file, { args, env, directory });

    const first = await deliver(server.url, deliveries.map(asRequest));
    assert.deepEqual(countBy(first, outcome), { '202 accepted': 329 });
    for (let i = 0; i < first.length; i++) assert.equal(first[i].json().message_id, deliveries[i].id);

    const again = await deliver(server.url, deliveries.map(asRequest));
    assert.deepEqual(countBy(again, outcome), { '200 duplicate': 329 });

    const changed = await Promise.all(
      deliveries.map(async (delivery) => {
        const body = delivery.body.replace(/\}$/, ',"changed":true}');
        return asRequest({ ...delivery, body, signature: await sign(secret, body) });
      }),
    );
    assert.deepEqual(countBy(await deliver(server.url, changed), outcome), { '422 422': 329 });

    const forged = await Promise.all(
      deliveries.map(async (delivery, i) => {
        const signature = await sign('another secret', delivery.body);
        return asRequest({ ...delivery, id: `new-${i}`, signature });
      }),
    );
    assert.deepEqual(countBy(await deliver(server.url, forged), outcome), { '401 401': 329 });
    const unsigned = asRequest({ ...deliveries[0], id: 'unsigned' });
    delete unsigned.headers['X-Hub-Signature-256'];
    assert.equal((await deliver(server.url, [unsigned]))[0].status, 401);

    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    const rows = await store.events();
    assert.equal(rows.length, 329);
    const stored = new Map(rows.map((row) => [row.message_id, row]));
    for (const { id, event, body } of deliveries) {
      assert.equal(stored.get(id).event_type, event);
      assert.equal(stored.get(id).payload, Buffer.from(body).toString('hex'), `payload of ${id}`);
    }
    const audit = await sluice(['audit', 'verify', file, ...args], { env });
    assert.equal(audit.code, 0, audit.stderr);
  });
}
