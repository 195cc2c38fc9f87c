// Chromium without a window, spoken to through the DevTools protocol over a pipe: JSON with a NUL behind it.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { cleanup, makeDirectory } from './cleanup.mjs';
import { until, within } from './wait.mjs';

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-pipe',
];

class Connection {
  #next = 1;
  #waiting = new Map();
  #rest = '';

  constructor(child) {
    this.events = [];
    this.to = child.stdio[3];
    child.stdio[4].setEncoding('utf8').on('data', (text) => this.#take(text));
    child.on('close', () => this.#fail(new Error('chromium has ended')));
    this.to.on('error', (error) => this.#fail(error));
  }

  #take(text) {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop();
    for (const message of messages.map((each) => JSON.parse(each))) this.#dispatch(message);
  }

  #dispatch(message) {
    const { resolve, reject } = this.#waiting.get(message.id) ?? {};
    this.#waiting.delete(message.id);
    if (!resolve) this.events.push(message);
    else if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  call(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return within(30, `the answer to ${method}`, answer);
  }
}

const complaints = {
  'Runtime.exceptionThrown': ({ exceptionDetails: details }) => details.exception?.description ?? details.text,
  'Runtime.consoleAPICalled': ({ type, args }) =>
    ['error', 'warning', 'assert'].includes(type)
      ? args.map((arg) => arg.value ?? arg.description).join(' ')
      : undefined,
  'Log.entryAdded': ({ entry }) => (['error', 'warning'].includes(entry.level) ? entry.text : undefined),
};

class Page {
  constructor(connection, session) {
    this.connection = connection;
    this.session = session;
  }

  call(method, params) {
    return this.connection.call(method, params, this.session);
  }

  #events(method) {
    return this.connection.events
      .filter((event) => event.sessionId === this.session && event.method === method)
      .map((event) => event.params);
  }

  /** What the page or the browser has complained of. */
  complaints() {
    return Object.entries(complaints)
      .flatMap(([method, say]) => this.#events(method).map(say))
      .filter(Boolean);
  }

  /** Every address that was asked for. */
  requests() {
    return this.#events('Network.requestWillBeSent').map(({ request }) => request.url);
  }

  async open(url) {
    const loads = this.#events('Page.loadEventFired').length;
    await this.call('Page.navigate', { url });
    await until(`${url} to be loaded`, () => this.#events('Page.loadEventFired').length > loads, { within: 30 });
  }

  async evaluate(expression) {
    const { result, exceptionDetails: details } = await this.call('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (details) throw new Error(details.exception?.description ?? details.text);
    return result.value;
  }

  /** A window of that width, in light or dark, of a machine that draws `scale` pixels to one. */
  async look({ width, height = 900, scheme = 'light', scale = 1, mobile = false, script = true }) {
    await this.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile });
    await this.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    await this.call('Emulation.setScriptExecutionDisabled', { value: !script });
  }

  /** All of the page as PNG. */
  async screenshot() {
    const { data } = await this.call('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
    return Buffer.from(data, 'base64');
  }

  async pdf() {
    const { data } = await this.call('Page.printToPDF', {
      preferCSSPageSize: true,
      printBackground: true,
      paperWidth: 8.27,
      paperHeight: 11.69,
    });
    return Buffer.from(data, 'base64');
  }
}

class Browser {
  constructor(connection) {
    this.connection = connection;
  }

  /** A page that is closed with the test. */
  async openPage(t) {
    const { targetId } = await this.connection.call('Target.createTarget', { url: 'about:blank' });
    cleanup(t, () => this.connection.call('Target.closeTarget', { targetId }));
    const { sessionId } = await this.connection.call('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this.connection, sessionId);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.call(`${domain}.enable`);
    return page;
  }
}

/** A browser that ends with the test. */
export async function openBrowser(t) {
  const profile = join(await makeDirectory(t), 'profile');
  const child = spawn('chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve, reject) => {
    child.on('close', resolve);
    child.on('error', reject);
  });
  const connection = new Connection(child);
  cleanup(t, async () => {
    await connection.call('Browser.close').catch(() => child.kill('SIGKILL'));
    await within(10, 'the end of chromium', ended);
  });
  return new Browser(connection);
}
