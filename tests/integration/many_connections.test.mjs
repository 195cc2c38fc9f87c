// Ten thousand connections that say nothing and a thousand that say a byte a second do not stop service.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';

import { makeDirectory } from './support/cleanup.mjs';
import { Connection } from './support/client.mjs';
import { webhook } from './support/events.mjs';
import { around, start } from './support/sluice.mjs';
import { openStore } from './support/stores.mjs';
import { patience, until, within } from './support/wait.mjs';

// Both ends of each connection need a descriptor of their own process.
async function fit(idle, slow) {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const room = Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? Infinity) - 500;
  const share = Math.min(1, room / (idle + slow), Number(process.env.SLUICE_CONNECTIONS || Infinity) / (idle + slow));
  return [Math.floor(idle * share), Math.floor(slow * share)];
}

// Each is put to use as soon as it is open: the server cuts those that wait.
async function openMany(url, count, use = () => {}) {
  const connections = [];
  const openOne = async () => {
    const connection = await Connection.open(url);
    await use(connection);
    connections.push(connection);
  };
  while (connections.length < count)
    await Promise.all(Array.from({ length: Math.min(250, count - connections.length) }, openOne));
  return connections;
}

const p95 = (times) => times.sort((a, b) => a - b)[Math.ceil(times.length * 0.95) - 1];

async function measure(url, count, name) {
  const connections = await openMany(url, 8);
  const times = [];
  let sent = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (sent < count) {
        const begun = performance.now();
        const response = await connection.request({ body: webhook(`${name}-${sent++}`) });
        assert.equal(response.status, 202, response.text);
        times.push(response.at - begun);
      }
      connection.close();
    }),
  );
  return p95(times);
}

const headerTimeout = 4000;
const bodyTimeout = 5000; // ms, total

// Sends what it has at once, and then a byte a second, which never ends.
function drip(connection, prefix) {
  connection.write(prefix);
  const timer = setInterval(() => connection.isOpen && connection.write('x'), 1000);
  connection.closed.then((at) => {
    clearInterval(timer);
    connection.took = at - connection.begun;
  });
}

// Keeps so many slow senders at it: one that is cut is followed by another, until stop(), which waits for all to be cut.
async function keepSlow(url, count, prefix) {
  const all = [];
  let over = false;
  const add = async () => {
    const begun = performance.now();
    const connection = await Connection.open(url);
    if (over) return connection.close();
    drip(connection, prefix);
    all.push(Object.assign(connection, { begun }));
    follow(connection);
  };
  const follow = (connection) => connection.closed.then(() => over || add());
  while (all.length < count) await Promise.all(Array.from({ length: Math.min(250, count - all.length) }, add));
  const stop = async () => {
    over = true;
    await within(20, 'the slow senders to be cut', Promise.all(all.map((connection) => connection.closed)));
    return all;
  };
  return { stop, open: () => all.filter((connection) => connection.isOpen).length };
}

function judgeCut(connections, timeout, what) {
  for (const { took, unasked } of connections) {
    assert.ok(took >= timeout - 50, `${what}: cut after ${took} ms of ${timeout}`);
    assert.ok(took < timeout + 2500 * patience, `${what}: cut only after ${took} ms of ${timeout}`);
    if (unasked.length) assert.equal(unasked[0].status, 408);
  }
}

test('idle connections and slow senders do not stop service, and slow senders are cut', async (t) => {
  const [idleCount, slowCount] = await fit(10000, 1000);
  t.diagnostic(`${idleCount} idle connections, ${slowCount} slow senders`);
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const listen = { header_timeout: `${headerTimeout}ms`, body_timeout: `${bodyTimeout}ms`, max_connections: 12000 };
  const unsynced = { durability: 'relaxed', synchronous: 'off' }; // what is measured is not the disk
  const server = await start(t, around(store.stage(unsynced), { listen }), { directory });
  const alone = await measure(server.url, 500, 'alone');

  // Idle as an honest client is: it has had an answer and keeps its connection. None of them is cut.
  const idle = await openMany(server.url, idleCount, async (connection) => {
    const response = await connection.request({ method: 'GET', path: '/nothing' });
    assert.equal(response.status, 404);
  });

  const half = Math.floor(slowCount / 2);
  const headers = await keepSlow(server.url, half, 'POST /webhooks HTTP/1.1\r\nHost: sluice\r\nX-Slow: ');
  const bodies = await keepSlow(
    server.url,
    slowCount - half,
    'POST /webhooks HTTP/1.1\r\nHost: sluice\r\nContent-Length: 100000\r\n\r\n{',
  );
  await server.atLeast(slowCount - half, 'webhook_receiving');
  const beset = await measure(server.url, 500, 'beset');
  t.diagnostic(`P95 alone ${alone.toFixed(2)} ms, beset ${beset.toFixed(2)} ms`);
  assert.ok(headers.open() + bodies.open() > slowCount / 2, 'the slow senders were gone during the measurement');
  assert.ok(beset < 100 * patience, `P95 of ${beset} ms`);

  const [inHeaders, inBodies] = await Promise.all([headers.stop(), bodies.stop()]);
  const slow = [...inHeaders, ...inBodies];
  judgeCut(inHeaders, headerTimeout, 'headers');
  judgeCut(inBodies, bodyTimeout, 'bodies');
  const answered = slow.filter(({ unasked }) => unasked.length).length;
  t.diagnostic(`${answered} of ${slow.length} slow senders were told 408`);
  await until('their events to be given back', async () => (await server.metrics()).value('webhook_receiving') === 0);

  assert.equal(idle.filter((connection) => !connection.isOpen).length, 0, 'idle connections were cut');
  const last = await idle[idle.length - 1].request({ body: webhook('from an idle connection') });
  assert.equal(last.status, 202);
  idle.forEach((connection) => connection.close());
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('a connection that never says anything is closed', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage(), { listen: { header_timeout: '300ms' } }), { directory });
  const connections = await openMany(server.url, 50);
  await within(
    5,
    'the silent connections to be closed',
    Promise.all(connections.map((connection) => connection.closed)),
  );
});

test('beyond max_connections the longest idle connection gives way, and slow ones keep nobody out', async (t) => {
  const directory = await makeDirectory(t);
  const store = await openStore(t, 'sqlite', directory);
  const server = await start(t, around(store.stage(), { listen: { max_connections: 10 } }), { directory });
  const full = await openMany(server.url, 9); // a tenth place is for senders that are known
  for (const connection of full)
    assert.equal((await connection.request({ method: 'GET', path: '/nothing' })).status, 404);
  assert.equal((await server.post(webhook('beyond'))).status, 202);
  await until('one to be closed', () => full.some((connection) => !connection.isOpen));
  const slow = await openMany(server.url, 30);
  slow.forEach((connection, i) =>
    connection.write(
      i % 2
        ? 'POST /webhooks HTTP/1.1\r\nHost: s\r\nX-Slow: '
        : 'POST /webhooks HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\n{',
    ),
  );
  for (let i = 0; i < 30; i++) assert.equal((await server.post(webhook(`beside-${i}`))).status, 202);
  await server.atLeast(20, 'webhook_connections_evicted_total');
  await until('a line in the log', () => server.log.includes('connections_evicted'));
});
