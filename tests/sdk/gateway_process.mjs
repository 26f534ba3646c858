// A gateway under test or in the demo: its configuration, its process, and its admin API.
// Everything that these tests take for granted about the names of `stillwatch serve` stands here.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

const READY_SECONDS_MAX = 30;
const STOP_SECONDS_MAX = 60;
const LOG_LINES_SHOWN = 20;

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

const isTable = (value) => typeof value === 'object' && !Array.isArray(value);
const isTables = (value) => Array.isArray(value) && value.length > 0 && value.every(isTable);

/** TOML of nested objects; arrays of objects become [[tables]]. */
export function tomlOf(table, at = '') {
  const plain = Object.entries(table).filter(([, value]) => !isTable(value) && !isTables(value));
  const nested = Object.entries(table).filter(([, value]) => isTable(value) || isTables(value));
  let text = plain.map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('');
  for (const [key, value] of nested) {
    const name = at ? `${at}.${key}` : key;
    for (const inner of isTables(value) ? value : [value]) {
      text += `\n${isTables(value) ? `[[${name}]]` : `[${name}]`}\n${tomlOf(inner, name)}`;
    }
  }
  return text;
}

export const keyLine = (api_key, fields) => JSON.stringify({ v: 1,
  key_sha256: createHash('sha256').update(api_key).digest('hex'), ...fields });

/** Settings that every configuration here has; `over` wins, table by table. */
export function settingsOf({ folder, port, admin_port, upstream_urls, over = {} }) {
  const file = (name) => path.join(folder, name);
  const base = {
    server: { listen: [`127.0.0.1:${port}`], admin_listen: [`127.0.0.1:${admin_port}`], drain_seconds: 1 },
    upstream: [{ name: 'model', urls: upstream_urls, prefixes: ['/'] }],
    identity: { keys_file: file('keys.ndjson') },
    remedies: { dry_run: true },
    query_log: { folder: file('log') },
    state: { folder: file('state'), secret_file: file('stillwatch.secret') },
    log: { file: file('gateway.log') },
  };
  for (const [key, value] of Object.entries(over)) {
    base[key] = isTable(value) && base[key] ? { ...base[key], ...value } : value;
  }
  return base;
}

export class Gateway {
  /** Writes the configuration into `folder`, starts the binary and waits until it is ready. */
  static async start({ binary, folder, upstream_urls, over, keys }) {
    const [port, admin_port] = [await freePort(), await freePort()];
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'keys.ndjson'), keys);
    const config = path.join(folder, 'gateway.toml');
    fs.writeFileSync(config, tomlOf(settingsOf({ folder, port, admin_port, upstream_urls, over })));
    const gateway = new Gateway(port, admin_port, folder);
    const output = fs.openSync(path.join(folder, 'gateway.output'), 'a');
    gateway.child = spawn(binary, ['serve', `--config=${config}`], { stdio: ['ignore', output, output] });
    gateway.exited = new Promise((resolve) => {
      gateway.child.once('exit', (code, signal) => resolve({ code, signal }));
      gateway.child.once('error', (error) => resolve({ code: String(error) }));
    });
    gateway.exited.then((how) => { gateway.ended = how; });
    fs.closeSync(output);
    try {
      await gateway.ready();
    } catch (error) {
      await gateway.stop();
      throw error;
    }
    return gateway;
  }

  constructor(port, admin_port, folder) {
    this.base = `http://127.0.0.1:${port}`;
    this.admin = `http://127.0.0.1:${admin_port}`;
    this.folder = folder;
    this.ended = null;
  }

  lastLines() {
    return ['gateway.output', 'gateway.log'].map((name) => path.join(this.folder, name)).filter(fs.existsSync)
      .map((file) => fs.readFileSync(file, 'utf8').split('\n').slice(-LOG_LINES_SHOWN).join('\n')).join('\n');
  }

  async ready() {
    const deadline = Date.now() + READY_SECONDS_MAX * 1000;
    while (Date.now() < deadline) {
      if (this.ended) throw new Error(`the gateway ended (${JSON.stringify(this.ended)}):\n${this.lastLines()}`);
      const answer = await fetch(`${this.admin}/readyz`).catch(() => null);
      if (answer?.ok) return;
      await sleep(50);
    }
    throw new Error(`the gateway was not ready within ${READY_SECONDS_MAX} s:\n${this.lastLines()}`);
  }

  /** A call of the admin API; an answer that is not 2xx is an error with its body. */
  async call(method, where, body) {
    const answer = await fetch(`${this.admin}${where}`, { method, body: body && JSON.stringify(body),
      headers: body ? { 'content-type': 'application/json' } : {} });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${text}`);
    return text;
  }

  override(account, level, { end_user, minutes = 60 } = {}) {
    return this.call('PUT', '/v1/admin/overrides', {
      subject: end_user ? { kind: 'end_user', account, id: end_user } : { kind: 'account', id: account },
      level, until: new Date(Date.now() + minutes * 60_000).toISOString(), who: 'sdk tests', note: 'a test' });
  }

  removeOverride(account) {
    return this.call('DELETE', `/v1/admin/overrides?account=${encodeURIComponent(account)}`);
  }

  dryRun(on) {
    return this.call('POST', '/v1/admin/dry-run', { on });
  }

  metrics() {
    return this.call('GET', '/metrics');
  }

  /** SIGTERM, and SIGKILL to what does not end by it. Resolves to { code, signal }. */
  async stop() {
    if (this.ended) return this.ended;
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_SECONDS_MAX * 1000);
    const how = await this.exited;
    clearTimeout(late);
    return how;
  }
}
