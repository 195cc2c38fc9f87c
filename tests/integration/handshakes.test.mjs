// What senders ask of an address before they use it, asked with curl alone: each is answered, and nothing of it is stored.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { around, execute, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';

const secret = '8f742231b10e8888abcd99yyyzzz85a5';
const hex = (text) => createHmac('sha256', secret).update(text).digest('hex');
const base64 = (text) => createHmac('sha256', secret).update(text).digest('base64');
const now = () => String(Math.floor(Date.now() / 1000));
const none = (handshake, more) => ({ auth: 'none', handshake, ...more });
const known = (provider, more) => ({ auth: 'hmac', provider, secrets: [secret], ...more });
const json = ['-H', 'Content-Type: application/json'];

const slack = (body) => {
  const at = now();
  const signature = `v0=${hex(`v0:${at}:${body}`)}`;
  return ['-H', `X-Slack-Request-Timestamp: ${at}`, '-H', `X-Slack-Signature: ${signature}`, ...json, '-d', body];
};
const zoom = (body) => {
  const at = now();
  return ['-H', `x-zm-request-timestamp: ${at}`, '-H', `x-zm-signature: v0=${hex(`v0:${at}:${body}`)}`, ...json, '-d', body];
};
const twitch = (body) => {
  const at = new Date().toISOString();
  const headers = {
    'Twitch-Eventsub-Message-Id': 'e76c6bd4',
    'Twitch-Eventsub-Message-Timestamp': at,
    'Twitch-Eventsub-Message-Type': 'webhook_callback_verification',
    'Twitch-Eventsub-Message-Signature': `sha256=${hex(`e76c6bd4${at}${body}`)}`,
  };
  return [...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]), ...json, '-d', body];
};
const line = (body) => ['-H', `x-line-signature: ${base64(body)}`, ...json, '-d', body];
const eventGrid = JSON.stringify([
  { id: '1', eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent', data: { validationCode: '512d38b6' } },
]);

// Name: the auth stage, what follows the address, curl's arguments, the status, and the body or a header.
const handshakes = {
  slack: [known('slack'), '', slack('{"type":"url_verification","challenge":"3eZbrw1aBm"}'), 200, '3eZbrw1aBm'],
  meta: [
    known('meta', { verify_token: 'mine' }),
    '?hub.mode=subscribe&hub.verify_token=mine&hub.challenge=1158201444',
    [],
    200,
    '1158201444',
  ],
  strava: [
    none('strava', { verify_token: 'mine' }),
    '?hub.verify_token=mine&hub.challenge=15f7d1a9&hub.mode=subscribe',
    [],
    200,
    '{"hub.challenge":"15f7d1a9"}',
  ],
  dropbox: [known('dropbox'), '?challenge=abc', [], 200, 'abc'],
  'microsoft-graph': [none('microsoft-graph'), '?validationToken=Validation%3A+a%20b', ['-X', 'POST'], 200, 'Validation: a b'],
  'event-grid': [
    none(['event-grid', 'cloudevents']),
    '',
    ['-H', 'aeg-event-type: SubscriptionValidation', ...json, '-d', eventGrid],
    200,
    '{"validationResponse":"512d38b6"}',
  ],
  cloudevents: [
    none('cloudevents'),
    '',
    ['-X', 'OPTIONS', '-H', 'WebHook-Request-Origin: eventgrid.azure.net', '-H', 'WebHook-Request-Rate: 120'],
    200,
    /webhook-allowed-origin: eventgrid\.azure\.net/i,
  ],
  x: [known('x'), '?crc_token=Y2hhbGxlbmdl', [], 200, `{"response_token":"sha256=${base64('Y2hhbGxlbmdl')}"}`],
  zoom: [
    known('zoom'),
    '',
    zoom('{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS"}}'),
    200,
    `{"plainToken":"qgg8vlvZRS","encryptedToken":"${hex('qgg8vlvZRS')}"}`,
  ],
  twitch: [known('twitch'), '', twitch('{"challenge":"pogchamp"}'), 200, 'pogchamp'],
  line: [known('line'), '', line('{"destination":"U1","events":[]}'), 200, ''],
  okta: [
    known('okta'),
    '',
    ['-H', 'X-Okta-Verification-Challenge: my challenge'],
    200,
    '{"verification":"my challenge"}',
  ],
  asana: [known('asana'), '', ['-X', 'POST', '-H', 'X-Hook-Secret: b537207f'], 200, /x-hook-secret: b537207f/i],
  ringcentral: [known('ringcentral'), '', ['-X', 'POST', '-H', 'Validation-Token: 49d1'], 200, /validation-token: 49d1/i],
  smartsheet: [
    none('smartsheet'),
    '',
    ['-H', 'Smartsheet-Hook-Challenge: c0ffee', ...json, '-d', '{"challenge":"c0ffee"}'],
    200,
    '{"smartsheetHookResponse":"c0ffee"}',
  ],
  websub: [
    none('websub', { verify_token: 'https://a.example/feed' }),
    '?hub.mode=subscribe&hub.topic=https%3A%2F%2Fa.example%2Ffeed&hub.challenge=c1',
    [],
    200,
    'c1',
  ],
  fitbit: [none('fitbit', { verify_token: 'mine' }), '?verify=mine', [], 204, ''],
  trello: [known('trello'), '', ['-I'], 200, /^HTTP/],
  mailchimp: [none('get'), '', [], 200, ''],
};

for (const [name, [auth, query, args, status, expected]] of Object.entries(handshakes)) {
  test(`${name}: its handshake is answered, and nothing is stored`, async (t) => {
    const directory = await makeDirectory(t);
    const store = await openStore(t, 'sqlite', directory);
    const server = await start(t, around({ persist: 'sqlite', path: store.path }, { auth }), { directory });
    const curl = ['-s', '-D', '-', '-m', '20', '-w', '\n%{http_code}', ...args, `${server.url}/webhooks${query}`];
    const { stdout } = await execute('curl', curl);
    assert.equal(stdout.slice(stdout.lastIndexOf('\n') + 1), String(status), stdout);
    const answer = stdout.slice(0, stdout.lastIndexOf('\n'));
    const end = answer.indexOf('\r\n\r\n');
    if (expected instanceof RegExp) assert.match(answer, expected);
    else assert.equal(answer.slice(end + 4), expected);
    assert.match(answer.slice(0, end), /x-content-type-options: nosniff/i);
    assert.ok(!server.log.includes(secret));
    assert.equal((await store.events()).length, 0);
    await server.stop();
    assert.match(server.log, /handshake_answered/);
  });
}

test('without a handshake every other method stays 405, with one only its own is let in', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around({ persist: 'sqlite', path: store.path }, { auth: none(['dropbox', 'head']) }), {
    directory,
  });
  const ask = async (...args) => {
    const { stdout } = await execute('curl', ['-s', '-D', '-', '-o', '/dev/null', '-m', '20', ...args]);
    return { status: Number(stdout.split(' ')[1]), allow: /^allow: (.*)\r$/im.exec(stdout)?.[1] };
  };
  const address = `${server.url}/webhooks`;
  assert.deepEqual(await ask('-X', 'PUT', '-d', '{}', address), { status: 405, allow: 'POST, GET, HEAD' });
  assert.deepEqual(await ask('-X', 'OPTIONS', address), { status: 405, allow: 'POST, GET, HEAD' });
  assert.deepEqual(await ask(address), { status: 405, allow: 'POST' }, 'a GET that is no handshake');
  assert.equal((await ask('-X', 'GET', '-d', '{"messageId":"a","eventType":"t","payload":1}', address)).status, 405);
  assert.equal((await store.events()).length, 0);
});
