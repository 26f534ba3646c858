// Sends the records of a simulated log to a live API through the official clients, in order of their time.
// Each record goes out with its account's API key, its client's user agent, and, in headers that the gateway takes
// from its trusted front proxy, the client's address and the time of the record.
import fs from 'node:fs';
import { createHash } from 'node:crypto';
import readline from 'node:readline';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

export const TIME_HEADER = 'x-event-time';
export const ADDRESS_HEADER = 'x-forwarded-for';
const LIMIT_MS = 60_000;

export const apiKeyOf = (record) => `sk-demo-${record.account}-${record.key ?? 'only'}`;

/** The records of an NDJSON file, one at a time. */
export async function* recordsOf(path) {
  for await (const line of readline.createInterface({ input: fs.createReadStream(path), crlfDelay: Infinity })) {
    if (line) yield JSON.parse(line);
  }
}

/** The gateway's key file for all keys that the records use: hashes, as a provider would keep them. */
export async function keyLinesOf(records) {
  const lines = new Map();
  for await (const record of records) {
    const api_key = apiKeyOf(record);
    if (lines.has(api_key)) continue;
    lines.set(api_key, JSON.stringify({ v: 1, key_sha256: createHash('sha256').update(api_key).digest('hex'),
      key: record.key ?? record.account, account: record.account }));
  }
  return [...lines.values(), ''].join('\n');
}

/** How each dialect is called; the second argument is the clients' per-request options. */
const CALLS = {
  'openai.chat': { sdk: 'openai', call: (client, body, options) => client.chat.completions.create(body, options) },
  'openai.responses': { sdk: 'openai', call: (client, body, options) => client.responses.create(body, options) },
  'anthropic.messages': { sdk: 'anthropic', call: (client, body, options) => client.messages.create(body, options) },
};
export const canSend = (record) => record.dialect in CALLS && record.request !== undefined;

/** One client for each key, as real customers have; connections are shared. */
export class Senders {
  #base;
  #clients = new Map();

  constructor(base) {
    this.#base = base;
  }

  #client(sdk, key) {
    const name = `${sdk} ${key}`;
    let client = this.#clients.get(name);
    if (!client) {
      const options = { apiKey: key, maxRetries: 0, timeout: LIMIT_MS };
      client = sdk === 'openai'
        ? new OpenAI({ ...options, baseURL: `${this.#base}/v1`, organization: null, project: null })
        : new Anthropic({ ...options, authToken: null, baseURL: this.#base });
      this.#clients.set(name, client);
    }
    return client;
  }

  /**
   * Resolves to { status, restricted, level }, of an error also type and message; status 0: no answer came, or it broke
   * off. Never rejects.
   */
  async send(record) {
    const { sdk, call } = CALLS[record.dialect];
    const headers = { [TIME_HEADER]: record.time };
    if (record.client?.user_agent) headers['user-agent'] = record.client.user_agent;
    if (record.client?.ip) headers[ADDRESS_HEADER] = record.client.ip;
    try {
      const promise = call(this.#client(sdk, apiKeyOf(record)), record.request, { headers });
      const { data, response } = await promise.withResponse();
      if (record.request.stream) for await (const _ of data); // read to its end, as its user would
      return { status: response.status, restricted: response.headers.has('stillwatch-restricted'),
        level: response.headers.get('stillwatch-level') ?? '' };
    } catch (error) {
      if (typeof error?.status !== 'number') return { status: 0, restricted: false, level: '', error };
      return { status: error.status, restricted: false, level: error.headers?.get?.('stillwatch-level') ?? '',
        type: error.constructor.name, message: error.message };
    }
  }
}

/**
 * Sends all records, at most `concurrency` at once, each started in the order it is read.
 * `on_answer(record, answer)` is told each answer; `on_start(record)` each start. Returns { sent, skipped, seconds }.
 */
export async function sendAll(records, base, { concurrency = 32, on_answer = () => {}, on_start = () => {} } = {}) {
  const senders = new Senders(base);
  const started = process.hrtime.bigint();
  let sent = 0;
  let skipped = 0;
  const source = records[Symbol.asyncIterator]?.() ?? records[Symbol.iterator]();
  let turn = Promise.resolve(); // one reader at a time, so that the order of starts is the order of records
  const nextRecord = () => {
    const next = turn.then(() => source.next());
    turn = next.catch(() => {});
    return next;
  };
  async function worker() {
    for (let item = await nextRecord(); !item.done; item = await nextRecord()) {
      const record = item.value;
      if (!canSend(record)) {
        skipped += 1;
        continue;
      }
      sent += 1;
      on_start(record);
      on_answer(record, await senders.send(record));
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { sent, skipped, seconds: Number(process.hrtime.bigint() - started) / 1e9 };
}
