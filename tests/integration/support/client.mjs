// An HTTP/1.1 client that shows what is on the wire: keep-alive, pipelining, raw bytes, cut connections.

import { connect } from 'node:net';

export class Response {
  constructor(head, body, at) {
    const [line, ...fields] = head.split('\r\n');
    this.line = line;
    this.status = Number(line.split(' ')[1]);
    this.headers = {};
    for (const field of fields) {
      const colon = field.indexOf(':');
      this.headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    this.body = body;
    this.at = at;
  }

  get text() {
    return this.body.toString();
  }

  json() {
    return JSON.parse(this.text);
  }
}

// [response, bytes used], or nothing while more is needed.
function parse(bytes, hasNoBody, ended) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const response = new Response(head, Buffer.alloc(0), performance.now());
  let at = end + 4;
  const { status, headers } = response;
  if (hasNoBody || status < 200 || status === 204 || status === 304) return [response, at];
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
    const chunks = [];
    for (;;) {
      const line = bytes.indexOf('\r\n', at);
      if (line < 0) return undefined;
      const size = parseInt(bytes.toString('latin1', at, line), 16);
      if (bytes.length < line + 2 + size + 2) return undefined;
      chunks.push(bytes.subarray(line + 2, line + 2 + size));
      at = line + 2 + size + 2;
      if (size === 0) break;
    }
    response.body = Buffer.concat(chunks);
    return [response, at];
  }
  const length = headers['content-length'];
  if (length === undefined && !ended) return undefined;
  const size = length === undefined ? bytes.length - at : Number(length);
  if (bytes.length < at + size) return undefined;
  response.body = bytes.subarray(at, at + size);
  return [response, at + size];
}

/** A field with an array of values is sent once for each. */
export function render({ method = 'POST', path = '/webhooks', headers = {}, body }) {
  const bytes = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(body);
  const lines = [`${method} ${path} HTTP/1.1`];
  const fields = { Host: 'sluice', ...headers };
  const named = Object.keys(fields).map((name) => name.toLowerCase());
  if (bytes && !named.includes('content-length') && !named.includes('transfer-encoding'))
    fields['Content-Length'] = bytes.length;
  for (const [name, values] of Object.entries(fields)) for (const value of [values].flat()) lines.push(`${name}: ${value}`);
  const head = Buffer.from(lines.join('\r\n') + '\r\n\r\n');
  return bytes ? Buffer.concat([head, bytes]) : head;
}

export class Connection {
  static async open(url) {
    const { hostname, port } = new URL(url);
    const connection = new Connection(connect({ host: hostname, port: Number(port), noDelay: true }));
    await new Promise((resolve, reject) => {
      connection.socket.once('connect', resolve);
      connection.socket.once('error', reject);
    });
    return connection;
  }

  constructor(socket) {
    this.socket = socket;
    this.received = Buffer.alloc(0);
    this.waiting = [];
    this.unasked = []; // answers that came before anybody asked
    this.informational = [];
    this.isOpen = true;
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.isOpen = false;
        this.#take(true);
        for (const { reject } of this.waiting.splice(0)) reject(new Error('the connection was closed'));
        resolve(performance.now());
      });
    });
    socket.on('data', (bytes) => {
      this.received = this.received.length ? Buffer.concat([this.received, bytes]) : bytes;
      this.#take(false);
    });
    socket.on('error', () => {}); // 'close' follows
  }

  #take(ended) {
    while (this.received.length) {
      const parsed = parse(this.received, this.waiting[0]?.hasNoBody, ended);
      if (!parsed) return;
      this.received = this.received.subarray(parsed[1]);
      if (parsed[0].status < 200) this.informational.push(parsed[0]);
      else if (this.waiting.length) this.waiting.shift().resolve(parsed[0]);
      else this.unasked.push(parsed[0]);
    }
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  /** The next answer; those of pipelined requests come in their order. */
  response({ hasNoBody = false } = {}) {
    if (this.unasked.length) return Promise.resolve(this.unasked.shift());
    if (!this.isOpen) return Promise.reject(new Error('the connection was closed'));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject, hasNoBody }));
  }

  request(options) {
    const response = this.response({ hasNoBody: options.method === 'HEAD' });
    this.write(render(options));
    return response;
  }

  close() {
    this.socket.destroy();
  }
}

/** One request on a connection of its own. */
export async function request(url, options) {
  const connection = await Connection.open(url);
  try {
    return await connection.request(options);
  } finally {
    connection.close();
  }
}
