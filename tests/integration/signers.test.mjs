// What the official libraries of the providers sign is accepted; the same, tampered with, is not.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import test from 'node:test';

import { sign as signGithub } from '@octokit/webhooks-methods';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';

import { makeDirectory } from './support/cleanup.mjs';
import { webhook } from './support/events.mjs';
import { Flaky } from './support/flaky.mjs';
import { around, root, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';

const seconds = (offset = 0) => Math.floor(Date.now() / 1000) + offset;

const standardSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const otherStandardSecret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const textSecret = "It's a Secret to Everybody";
const stripe = new Stripe('sk_test_unused');

// For each scheme: who signs, and where the parts of a signature can go wrong.
const schemes = {
  'standard-webhooks': {
    secret: standardSecret,
    other: otherStandardSecret,
    parse: { message_id: ['header:webhook-id', 'header:svix-id'] },
    sign: (body, secret, { id, at }) => ({
      'webhook-id': id,
      'webhook-timestamp': at,
      'webhook-signature': new Webhook(secret).sign(id, new Date(at * 1000), body),
    }),
    signature: 'webhook-signature',
    timed: true,
  },
  github: {
    secret: textSecret,
    other: 'another secret',
    sign: async (body, secret) => ({ 'X-Hub-Signature-256': await signGithub(secret, body) }),
    signature: 'X-Hub-Signature-256',
  },
  stripe: {
    secret: 'whsec_test_secret',
    other: 'whsec_other_secret',
    sign: (body, secret, { at }) => ({
      'Stripe-Signature': stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: at }),
    }),
    signature: 'Stripe-Signature',
    timed: true,
  },
  slack: {
    secret: textSecret,
    other: 'another secret',
    sign: (body, secret, { at }) => ({
      'X-Slack-Request-Timestamp': at,
      'X-Slack-Signature': `v0=${createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')}`,
    }),
    signature: 'X-Slack-Signature',
    timed: true,
  },
  shopify: {
    secret: textSecret,
    other: 'another secret',
    sign: (body, secret) => ({ 'X-Shopify-Hmac-SHA256': createHmac('sha256', secret).update(body).digest('base64') }),
    signature: 'X-Shopify-Hmac-SHA256',
  },
};

const tamper = (signature) => signature.replace(/[A-Za-z0-9](?=[^A-Za-z0-9]*$)/, (last) => (last === '0' ? '1' : '0'));

for (const [scheme, { secret, other, parse, sign, signature, timed }] of Object.entries(schemes)) {
  test(`${scheme}: what its signer signs is accepted, and nothing else`, async (t) => {
    const directory = await makeDirectory(t);
    const store = new Flaky(directory);
    const secretFile = join(directory, 'old-secret');
    await writeFile(secretFile, `${secret}\n`);
    const auth = { auth: 'hmac', scheme, secrets: ['${NEW_SECRET}'], secret_files: [secretFile] };
    const pipeline = around(store.stage(), { auth, parse });
    const server = await start(t, pipeline, { directory, env: { NEW_SECRET: other } });

    const signed = async (id, { by = secret, at = seconds() } = {}) => {
      const body = webhook(id, { payload: '{"text":"süß","n":1.0}' });
      return { body, headers: await sign(body, by, { id, at }) };
    };
    const status = async ({ body, headers }) => (await server.post(body, headers)).status;

    assert.equal(await status(await signed('old')), 202, 'the secret in the file');
    assert.equal(await status(await signed('new', { by: other })), 202, 'the secret in the environment');
    assert.equal(await status(await signed('old')), 200);

    const stranger =
      scheme === 'standard-webhooks' ? 'whsec_' + Buffer.from('x'.repeat(24)).toString('base64') : 'stranger';
    assert.equal(await status(await signed('forged', { by: stranger })), 401);
    const { body, headers } = await signed('tampered');
    assert.equal(await status({ body: body.replace('1.0', '2.0'), headers }), 401, 'another body');
    assert.equal(await status({ body: `${body} `, headers }), 401, 'one more space');
    const field = headers[signature];
    assert.equal(await status({ body, headers: { ...headers, [signature]: tamper(field) } }), 401, 'another signature');
    for (const broken of ['', 'x', field.slice(0, -4), field.slice(0, field.length / 2), `${field}0`])
      assert.equal(await status({ body, headers: { ...headers, [signature]: broken } }), 401, `signature ${broken}`);
    const { [signature]: _, ...unsigned } = headers;
    assert.equal(await status({ body, headers: unsigned }), 401, 'no signature');
    if (timed) {
      assert.equal(await status(await signed('stale', { at: seconds(-400) })), 401, 'too old');
      assert.equal(await status(await signed('early', { at: seconds(400) })), 401, 'too far ahead');
      assert.equal(await status(await signed('late', { at: seconds(-200) })), 202, 'within the tolerance');
    }
    const refusal = await server.post(body, unsigned);
    const bad = await server.post(body, { ...headers, [signature]: tamper(field) });
    assert.equal(refusal.headers['content-type'], 'application/problem+json');
    assert.equal(refusal.json().detail, bad.json().detail, 'the answer says which part was wrong');
    assert.equal((await store.ids()).length, timed ? 3 : 2);

    await server.stop();
    for (const hidden of [secret, other, field])
      assert.ok(!server.log.includes(hidden), `the log shows ${hidden === field ? 'a signature' : 'a secret'}`);
  });
}

test('pipelines/standard-webhooks.yaml takes what the official library signs', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const file = join(root, 'pipelines/standard-webhooks.yaml');
  const args = ['--set', 'persist=sqlite', '--set', `persist.path=${store.path}`];
  const env = { WEBHOOK_SECRET: standardSecret };
  const server = await start(t, file, { directory, args, env });
  const body = '{"type":"user.created","timestamp":"2026-01-01T00:00:00Z","data":{"id":"u_1","name":"Zoë"}}';
  const at = seconds();
  const headers = {
    'webhook-id': 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W',
    'webhook-timestamp': at,
    'webhook-signature': new Webhook(standardSecret).sign('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W', new Date(at * 1000), body),
  };
  assert.equal((await server.post(body, headers)).status, 202);
  assert.equal((await server.post(body, headers)).status, 200);
  assert.equal((await server.post(body.replace('Zoë', 'Zoe'), headers)).status, 401);
  const rows = await store.events();
  assert.deepEqual(
    rows.map((row) => [row.message_id, row.event_type]),
    [['msg_2KWPBgLlAfxdpx2AI54pPJ85f4W', 'user.created']],
  );
  assert.equal((await sluice(['check', file, ...args], { env })).code, 0);
});
