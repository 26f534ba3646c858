// The official clients straight against the model server: this is the test of the tests. With TARGET=http://HOST:PORT
// the dialect suite runs against that server instead, whatever it is.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Anthropic, OpenAI, SMALL_CALLS, chat, clientsOf, drain, expectError, failure, message } from './clients.mjs';
import { dialectSuite } from './dialect_suite.mjs';
import { startModelServer } from './model_server.mjs';

let server;
let base = process.env.TARGET;
before(async () => {
  server = await startModelServer();
  base ??= `http://127.0.0.1:${server.port}`;
});
after(() => server.close());

dialectSuite('model server', () => base, process.env.TARGET_KEY ?? 'sk-test');

describe('model server: faults', () => {
  const own = (options) => clientsOf(`http://127.0.0.1:${server.port}`, options);

  for (const { dialect, sdk, call } of SMALL_CALLS.filter((entry) => entry.dialect !== 'openai.embeddings')) {
    it(`${dialect}: 429 and 500 become the client's own exceptions`, async () => {
      const limited = await expectError(call(own(), '[[status=429]]'), sdk.RateLimitError, 429);
      assert.equal(limited.headers.get('retry-after'), '7');
      await expectError(call(own(), '[[status=500]]'), sdk.InternalServerError, 500);
    });
  }

  it('a switch by header does the same', async () => {
    const { openai } = own({ headers: { 'x-model-switch': 'status=503' } });
    await expectError(openai.chat.completions.create(chat('hello')), OpenAI.InternalServerError, 503);
  });

  it('a stream that dies ends in an error after the events that came', async () => {
    const held = '[[hold=dies]] [[die_after=3]]'; // a client that is told of the end throws away what it has not read
    for (const open of [({ openai }) => openai.chat.completions.create(chat(held, { stream: true })),
      ({ anthropic }) => anthropic.messages.create(message(held, { stream: true }))]) {
      const events = (await open(own()))[Symbol.asyncIterator]();
      assert.equal((await events.next()).done, false);
      await fetch(`http://127.0.0.1:${server.port}/control/release/dies`, { method: 'POST' });
      let count = 1;
      await failure((async () => { while (!(await events.next()).done) count += 1; })());
      assert.ok(count <= 3, `${count} events`);
    }
  });

  it('an answer cut short is a connection error', async () => {
    const { openai, anthropic } = own();
    await failure(openai.chat.completions.create(chat('[[die_after=10]]')));
    await failure(anthropic.messages.create(message('[[die_after=10]]')));
  });

  it('garbage is an error, whole and streamed', async () => {
    const { openai } = own();
    await failure(openai.chat.completions.create(chat('[[garbage]]')));
    await failure(openai.chat.completions.create(chat('[[garbage]]', { stream: true })).then(drain));
  });

  it('a slow first byte runs into the limit of the client', async () => {
    const { openai, anthropic } = own({ timeout: 50 });
    await failure(openai.chat.completions.create(chat('[[first_byte_ms=400]]')))
      .then((error) => assert.ok(error instanceof OpenAI.APIConnectionTimeoutError));
    await failure(anthropic.messages.create(message('[[first_byte_ms=400]]')))
      .then((error) => assert.ok(error instanceof Anthropic.APIConnectionTimeoutError));
  });

  it('a held stream has given its first event, and no more until it is released', async () => {
    const stream = await own().openai.chat.completions.create(chat('[[hold=here]]', { stream: true }));
    const events = stream[Symbol.asyncIterator]();
    assert.equal((await events.next()).done, false);
    const answer = await fetch(`http://127.0.0.1:${server.port}/control/release/here`, { method: 'POST' });
    assert.equal((await answer.json()).waited, true);
    let count = 1;
    while (!(await events.next()).done) count += 1;
    assert.ok(count > 5);
  });

  it('remembers what it was asked', async () => {
    const seen = () => fetch(`http://127.0.0.1:${server.port}/control/seen`).then((answer) => answer.json());
    await seen();
    await own({ key: 'sk-seen' }).anthropic.messages.create(message('remember me'));
    const requests = await seen();
    assert.equal(requests.length, 1);
    // Anthropic's client of today sends its key as a bearer token, older ones as x-api-key.
    assert.equal(requests[0].headers.authorization, 'Bearer sk-seen');
    assert.ok(requests[0].raw_headers.includes('anthropic-version'));
    assert.equal(JSON.parse(requests[0].body).messages[0].content, 'remember me');
  });
});
