// The senders' own libraries against the table of providers: what they sign is taken, and what they would take is what is taken.

import assert from 'node:assert/strict';
import { createHmac, createSign, generateKeyPairSync, sign as signWith } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { encodeSignatureHeader } from '@sanity/webhook';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { verifyKey } from 'discord-interactions';
import { Webhook } from 'svix';
import twilio from 'twilio';

import { makeDirectory } from './support/cleanup.mjs';
import { around, execute, sluice, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';

const seconds = () => String(Math.floor(Date.now() / 1000));
const json = { 'Content-Type': 'application/json' };
const parse = { message_id: ['header:x-id'], event_type: [], payload: '', stream: [], sequence: [] };

// Starts a server for the provider; `post` gives the status.
async function open(t, auth, sections) {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around({ persist: 'sqlite', path: store.path }, { auth, parse, ...sections }), { directory });
  let sent = 0;
  return async (body, headers, query = '') => {
    const { stdout } = await execute('curl', [
      ...['-s', '-o', '/dev/null', '-w', '%{http_code}', '-m', '20', '-H', `x-id: e${++sent}`, '--data-binary', body],
      ...Object.entries({ ...json, ...headers }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
      `${server.url}/webhooks${query}`,
    ]);
    return Number(stdout);
  };
}

test('svix: what its library signs', async (t) => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const post = await open(t, { auth: 'hmac', provider: 'svix', secrets: [secret] });
  const now = new Date();
  const body = '{"type":"a.b","x":"ü🎉"}';
  const signature = new Webhook(secret).sign('msg_1', now, body);
  const headers = { 'svix-id': 'msg_1', 'svix-timestamp': String(Math.floor(now / 1000)), 'svix-signature': signature };
  assert.equal(await post(body, headers), 202);
  assert.equal(await post(body.replace('a.b', 'a.c'), headers), 401);
});

test('twilio: forms and JSON, signed as its library does', async (t) => {
  const token = '12345';
  const address = 'https://hooks.example.com/webhooks';
  const post = await open(t, { auth: 'hmac', provider: 'twilio', secrets: [token] }, { listen: { public_url: address } });
  const type = 'application/x-www-form-urlencoded';
  const fields = { To: '+18005551212', From: '+14158675310', Body: 'süß & gut = 1', Digits: '', CallSid: 'CA1' };
  const body = new URLSearchParams(fields).toString();
  const signature = twilio.getExpectedTwilioSignature(token, address, fields);
  const form = { 'Content-Type': type, 'X-Twilio-Signature': signature };
  assert.equal(await post(body, form), 415, 'a form, proven, and for parse/form to read');
  assert.equal(await post(body.replace('CA1', 'CA2'), form), 401);
  assert.equal(await post(body, form, '?a=1'), 401, 'another address');

  const data = '{"a":1}';
  const query = `?bodySHA256=${twilio.getExpectedBodyHash(data)}`;
  const headers = { 'X-Twilio-Signature': twilio.getExpectedTwilioSignature(token, address + query, {}) };
  assert.ok(twilio.validateRequestWithBody(token, headers['X-Twilio-Signature'], address + query, data));
  assert.equal(await post(data, headers, query), 202);
  assert.equal(await post('{"a":2}', headers, query), 401);
  assert.equal(await post('', { ...headers, 'Content-Type': type }, query), 401, 'a body that was taken away');
});

test('sanity: what its library signs', async (t) => {
  const post = await open(t, { auth: 'hmac', provider: 'sanity', secrets: ['s3cret'] });
  const body = '{"_id":"a"}';
  const headers = { 'sanity-webhook-signature': await encodeSignatureHeader(body, Date.now(), 's3cret') };
  assert.equal(await post(body, headers), 202);
  assert.equal(await post('{"_id":"b"}', headers), 401);
});

test('discord: what its library takes', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'jwk' }).x;
  const key = Buffer.from(raw, 'base64url').toString('hex');
  const post = await open(t, { auth: 'signature', provider: 'discord', keys: [key] });
  const signed = async (body) => {
    const at = seconds();
    const signature = signWith(null, Buffer.from(at + body), privateKey).toString('hex');
    assert.ok(await verifyKey(body, signature, at, key));
    return { 'X-Signature-Ed25519': signature, 'X-Signature-Timestamp': at };
  };
  const body = '{"type":2,"id":"1"}';
  const headers = await signed(body);
  assert.equal(await post(body, headers), 202);
  assert.equal(await post('{"type":2,"id":"2"}', headers), 401);
  assert.equal(await post('{"type":1}', await signed('{"type":1}')), 200, 'PING');
});

test('sendgrid: what its library takes', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64'); // as its page shows it
  const post = await open(t, { auth: 'signature', provider: 'sendgrid', keys: [key] });
  const at = seconds();
  const body = '[{"sg_event_id":"a","event":"open"}]\r\n';
  const signature = createSign('sha256').update(at + body).sign(privateKey, 'base64');
  const library = new EventWebhook();
  assert.ok(library.verifySignature(library.convertPublicKeyToECDSA(key), body, signature, at));
  const headers = {
    'X-Twilio-Email-Event-Webhook-Signature': signature,
    'X-Twilio-Email-Event-Webhook-Timestamp': at,
  };
  assert.equal(await post(body, headers), 202);
  assert.equal(await post(body.replace('open', 'drop'), headers), 401);
});

test('each row verifies for another program, too', async () => {
  const { stdout } = await sluice(['providers', '--json']);
  const rows = JSON.parse(stdout);
  assert.ok(rows.length >= 60);
  let proven = 0;
  for (const { name, proof, signed, vector, timestamp_prefix: prefix } of rows) {
    const digest = /^HMAC-(SHA\d+)/.exec(proof)?.[1];
    if (!digest || signed.includes('{form}')) continue;
    const entries = vector.signature.split(/[,;]/);
    const timestamp =
      vector.timestamp ?? (prefix === null ? '' : entries.find((entry) => entry.startsWith(prefix)).slice(prefix.length));
    const values = { ...vector, timestamp, method: 'POST' };
    const text = signed.replace(/\{(\w+)\}/g, (_, part) => values[part]);
    const keys = [vector.secret, Buffer.from(vector.secret.replace(/^whsec_/, ''), 'base64'), Buffer.from(vector.secret, 'hex')];
    const macs = keys.map((key) => createHmac(digest, key).update(text).digest());
    const found = macs.some((mac) => ['hex', 'base64', 'base64url'].some((e) => vector.signature.includes(mac.toString(e))));
    assert.ok(found, name);
    proven++;
  }
  assert.ok(proven >= 60, `${proven} rows`);
});

test('sluice listen writes a pipeline for each provider, and never over a file', async (t) => {
  const directory = await makeDirectory(t);
  const { stdout } = await sluice(['providers', '--json']);
  const env = {
    WEBHOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    VERIFY_TOKEN: 'mine',
    PUBLIC_URL: 'https://hooks.example.com/webhooks',
  };
  for (const { name, vector } of JSON.parse(stdout)) {
    const file = join(directory, `${name}.yaml`);
    const written = await sluice(['listen', name, '--output', file]);
    assert.equal(written.code, 0, `${name}: ${written.stderr}`);
    const key = vector?.key ?? rsaKey;
    const secret = vector?.secret ?? env.WEBHOOK_SECRET;
    const checked = await sluice(['check', file], { env: { ...env, WEBHOOK_KEY: key, WEBHOOK_SECRET: secret } });
    assert.equal(checked.code, 0, `${name}: ${checked.stderr}\n${await readFile(file, 'utf8')}`);
    const again = await sluice(['listen', name, '--output', file]);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /exists already/);
  }
  const unknown = await sluice(['listen', 'githb']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /did you mean github\?/);
});

const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'pem', type: 'spki' });
