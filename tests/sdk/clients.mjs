// Both official clients, as tests use them: no retries of their own unless asked, a short limit, one address.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

export { Anthropic, OpenAI };

const LIMIT_MS = 20_000; // no test waits for it; it ends one that hangs

/** `base` is scheme, host and port. OpenAI's client wants the `/v1`, Anthropic's adds it. */
export function clientsOf(base, { key = 'sk-test', maxRetries = 0, headers = {}, ...rest } = {}) {
  const common = { apiKey: key, maxRetries, timeout: LIMIT_MS, defaultHeaders: headers, ...rest };
  return { openai: new OpenAI({ ...common, baseURL: `${base}/v1`, organization: null, project: null }),
    anthropic: new Anthropic({ ...common, authToken: null, baseURL: base }) };
}

export const user = (content) => [{ role: 'user', content }];
export const chat = (content, fields = {}) => ({ model: 'm-large', messages: user(content), ...fields });
export const message = (content, fields = {}) => (
  { model: 'm-large', max_tokens: 64, messages: user(content), ...fields });

/** What each dialect calls one small request, for tests that say the same of all. */
export const SMALL_CALLS = [
  { dialect: 'openai.chat', sdk: OpenAI, call: ({ openai }, prompt) => openai.chat.completions.create(chat(prompt)) },
  { dialect: 'openai.chat stream', sdk: OpenAI,
    call: ({ openai }, prompt) => openai.chat.completions.create(chat(prompt, { stream: true })) },
  { dialect: 'openai.responses', sdk: OpenAI,
    call: ({ openai }, prompt) => openai.responses.create({ model: 'm-large', input: prompt }) },
  { dialect: 'openai.embeddings', sdk: OpenAI,
    call: ({ openai }, prompt) => openai.embeddings.create({ model: 'm-embed', input: prompt }) },
  { dialect: 'anthropic.messages', sdk: Anthropic,
    call: ({ anthropic }, prompt) => anthropic.messages.create(message(prompt)) },
  { dialect: 'anthropic.messages stream', sdk: Anthropic,
    call: ({ anthropic }, prompt) => anthropic.messages.create(message(prompt, { stream: true })) },
];

/** A fetch for the clients that counts what goes over the wire, retries included, in `calls`. */
export function countingFetch() {
  const count = (...request) => {
    count.calls += 1;
    return fetch(...request);
  };
  count.calls = 0;
  return count;
}

export async function drain(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** The error that a call ends with; that it ends with one is the first thing asserted. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('the call succeeded');
}

export async function expectError(promise, type, status) {
  const error = await failure(promise);
  assert.ok(error instanceof type, `expected ${type.name}, got ${error?.constructor?.name}: ${error?.message}`);
  assert.equal(error.status, status);
  return error;
}
