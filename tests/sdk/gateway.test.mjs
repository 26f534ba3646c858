// The official clients through the gateway: nothing changes for those whom no rule concerns, and every refusal becomes
// the client's own exception. Needs STILLWATCH_BINARY.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  Anthropic, OpenAI, SMALL_CALLS, chat, countingFetch, drain, expectError, failure, message,
} from './clients.mjs';
import { dialectSuite } from './dialect_suite.mjs';
import { Stage, keyOf } from './gateway_fixture.mjs';

let stage;
const codeOf = (error) => error.error?.code ?? error.error?.error?.code; // OpenAI's client unwraps the outer object
const textOfChunk = (event) => event.choices?.[0]?.delta?.content ?? event.delta?.text ?? '';

describe('gateway', () => {
  before(async () => { stage = await Stage.open(); });
  after(() => stage?.close());

  dialectSuite('gateway', () => stage.gateway.base, keyOf('plain'));

  describe('what passes', () => {
    it('the request goes upstream as it came, and the answer says how long the gateway took', async () => {
      await stage.seen();
      const body = chat('untouched', { n: 2, logprobs: true, temperature: 0.5, user: 'u-1' });
      const { response } = await stage.clients('plain').openai.chat.completions.create(body).withResponse();
      const [request] = await stage.seen();
      assert.equal(request.body, JSON.stringify(body));
      assert.match(response.headers.get('stillwatch-overhead-us'), /^\d+$/);
      assert.ok(response.headers.get('stillwatch-request-id'));
      for (const name of ['stillwatch-level', 'stillwatch-restricted', 'stillwatch-dry-run']) {
        assert.equal(response.headers.get(name), null, name);
      }
    });

    it("Anthropic's older way to send a key works as well", async () => {
      const { anthropic } = stage.clients('plain', { headers: { 'x-api-key': keyOf('plain'), authorization: null } });
      assert.equal((await anthropic.messages.create(message('hello'))).type, 'message');
      const wrong = stage.clients('plain', { headers: { 'x-api-key': 'sk-unknown', authorization: null } });
      await expectError(wrong.anthropic.messages.create(message('hello')), Anthropic.AuthenticationError, 401);
    });

    const held = [
      ['chat', ({ openai }, text) => openai.chat.completions.create(chat(text, { stream: true }))],
      ['responses', ({ openai }, text) => openai.responses.create({ model: 'm-large', input: text, stream: true })],
      ['messages', ({ anthropic }, text) => anthropic.messages.create(message(text, { stream: true }))],
    ];
    for (const [name, open] of held) {
      it(`${name}: the first event is there before the second was produced`, async () => {
        const events = (await open(stage.clients('plain'), `[[hold=${name}]]`))[Symbol.asyncIterator]();
        assert.equal((await events.next()).done, false);
        assert.equal((await stage.release(name)).waited, true); // the model server was waiting: nothing else was sent
        let count = 1;
        while (!(await events.next()).done) count += 1;
        assert.ok(count > 5);
      });
    }

    it('a long stream arrives whole and in order', async () => {
      const words = 5000;
      for (const stream of [
        await stage.clients('plain').openai.chat.completions.create(chat(`[[words=${words}]]`, { stream: true })),
        await stage.clients('plain').anthropic.messages.create(message(`[[words=${words}]]`, { stream: true })),
      ]) {
        const text = (await drain(stream)).map(textOfChunk).join('');
        assert.equal(text.split(' ').length, words);
      }
    });

    it('a large prompt passes', async () => {
      const got = await stage.clients('plain').anthropic.messages.create(message('long '.repeat(80_000)));
      assert.ok(got.usage.input_tokens >= 100_000);
    });

    it('a client that leaves in the middle of a stream harms nobody', async () => {
      const { openai } = stage.clients('plain');
      for (let round = 0; round < 5; round += 1) {
        const stream = await openai.chat.completions.create(chat('[[words=1000]] [[pace_ms=1]]', { stream: true }));
        for await (const _ of stream) break; // ends the connection
      }
      assert.ok((await openai.chat.completions.create(chat('still here'))).id);
    });
  });

  describe('who is refused', () => {
    for (const { dialect, sdk, call } of SMALL_CALLS) {
      it(`${dialect}: an unknown or expired key is an AuthenticationError`, async () => {
        await stage.seen();
        const unknown = await expectError(call(stage.clients('nobody'), 'secret prompt'), sdk.AuthenticationError, 401);
        assert.ok(unknown.requestID, 'the client knows the id of the request');
        assert.doesNotMatch(JSON.stringify(unknown.error), /sk-nobody|secret prompt/);
        await expectError(call(stage.clients('expired'), 'hello'), sdk.AuthenticationError, 401);
        assert.deepEqual(await stage.seen(), [], 'nothing reached the model server');
      });

      it(`${dialect}: a network that is not allowed is a PermissionDeniedError, and not retried`, async () => {
        const wire = countingFetch();
        const clients = stage.clients('away', { fetch: wire, maxRetries: 2 });
        const error = await expectError(call(clients, 'hello'), sdk.PermissionDeniedError, 403);
        assert.equal(codeOf(error), 'network_not_allowed');
        assert.equal(wire.calls, 1);
      });
    }

    it('a model that is not allowed is a PermissionDeniedError', async () => {
      const { openai, anthropic } = stage.clients('narrow');
      const error = await expectError(openai.chat.completions.create(chat('hello')), OpenAI.PermissionDeniedError, 403);
      assert.equal(error.code, 'model_not_allowed');
      assert.equal(error.param, 'model');
      const other = await expectError(anthropic.messages.create(message('hello')),
        Anthropic.PermissionDeniedError, 403);
      assert.equal(other.type, 'permission_error');
      assert.equal(codeOf(other), 'model_not_allowed');
      assert.ok(await openai.chat.completions.create(chat('hello', { model: 'm-small', max_tokens: 10 })));
      assert.ok(await anthropic.messages.create(message('hello', { model: 'm-small' })));
    });

    it('parameters beyond the rule are a BadRequestError that names them', async () => {
      const { openai, anthropic } = stage.clients('narrow');
      const small = (fields) => openai.chat.completions.create(chat('hello', { model: 'm-small', ...fields }));
      const n = await expectError(small({ n: 3, max_tokens: 10 }), OpenAI.BadRequestError, 400);
      assert.deepEqual([n.code, n.param, n.type], ['n_too_large', 'n', 'invalid_request_error']);
      const many = await expectError(small({ max_tokens: 101 }), OpenAI.BadRequestError, 400);
      assert.equal(many.code, 'output_tokens_too_many');
      const too_many = message('hello', { model: 'm-small', max_tokens: 101 });
      const other = await expectError(anthropic.messages.create(too_many), Anthropic.BadRequestError, 400);
      assert.equal(other.type, 'invalid_request_error');
      const logprobs = await failure(small({ logprobs: true, max_tokens: 10 }));
      assert.ok(logprobs instanceof OpenAI.PermissionDeniedError);
      assert.equal(logprobs.code, 'logprobs_not_allowed');
    });
  });

  describe('limits', () => {
    const limited = [
      ['limited', OpenAI, ({ openai }) => openai.chat.completions.create(chat('hello')),
        ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests']],
      ['limited_a', Anthropic, ({ anthropic }) => anthropic.messages.create(message('hello')),
        ['anthropic-ratelimit-requests-limit', 'anthropic-ratelimit-requests-remaining',
          'anthropic-ratelimit-requests-reset']],
    ];
    for (const [name, sdk, call, [limit, remaining, reset]] of limited) {
      it(`${sdk.name}: a used up limit is a RateLimitError, and the client's own retry gets through`, async () => {
        const clients = stage.clients(name);
        let error = null;
        let before = 60;
        for (let sent = 0; sent < 200 && !error; sent += 1) {
          const answer = await call(clients).withResponse().catch((caught) => { error = caught; });
          if (!answer) break;
          const { headers } = answer.response;
          assert.equal(headers.get(limit), '60');
          assert.ok(Number(headers.get(remaining)) <= before);
          assert.ok(headers.get(reset));
          before = Number(headers.get(remaining));
        }
        assert.ok(error instanceof sdk.RateLimitError, `no limit was met, the last answer was ${error}`);
        assert.equal(codeOf(error), 'requests_per_minute_exceeded');
        assert.match(error.headers.get('retry-after'), /^[1-9]\d*$/);
        const wire = countingFetch();
        const patient = stage.clients(name, { maxRetries: 3, fetch: wire });
        for (let sent = 0; sent < 5 && wire.calls <= sent; sent += 1) assert.ok(await call(patient));
        assert.ok(wire.calls >= 2, 'it was refused and came again');
      });
    }

    it('one stream at a time: the second is a RateLimitError until the first has ended', async () => {
      const { openai } = stage.clients('one_stream');
      const open = (text) => openai.chat.completions.create(chat(text, { stream: true }));
      const first = await open('[[hold=alone]]');
      const error = await expectError(open('hello'), OpenAI.RateLimitError, 429);
      assert.equal(error.code, 'streams_exceeded');
      await stage.release('alone');
      await drain(first);
      let second = null;
      for (let tries = 0; tries < 100 && !second; tries += 1) { // settled just after the last byte was sent
        second = await open('hello').catch(() => new Promise((resolve) => { setTimeout(resolve, 10, null); }));
      }
      assert.ok((await drain(second)).length > 5);
    });
  });

  describe('upstream faults', () => {
    it('errors of the model server pass as they are', async () => {
      for (const { sdk, call } of SMALL_CALLS.filter(({ dialect }) => dialect !== 'openai.embeddings')) {
        const limit = await expectError(call(stage.clients('plain'), '[[status=429]]'), sdk.RateLimitError, 429);
        assert.equal(limit.headers.get('retry-after'), '7');
        await expectError(call(stage.clients('plain'), '[[status=500]]'), sdk.InternalServerError, 500);
      }
      const { openai } = stage.clients('plain');
      await expectError(openai.models.retrieve('m-unknown'), OpenAI.NotFoundError, 404);
    });

    it('a stream that dies ends in an error after the events that came', async () => {
      const { openai, anthropic } = stage.clients('plain');
      for (const [name, open] of [
        ['dies-chat', (text) => openai.chat.completions.create(chat(text, { stream: true }))],
        ['dies-messages', (text) => anthropic.messages.create(message(text, { stream: true }))],
      ]) {
        // Held after the first event: a client that is told of the end throws away what it has not read yet.
        const events = (await open(`[[hold=${name}]] [[die_after=3]]`))[Symbol.asyncIterator]();
        assert.equal((await events.next()).done, false);
        await stage.release(name);
        let count = 1;
        await failure((async () => { while (!(await events.next()).done) count += 1; })());
        assert.ok(count <= 3, `${count} events`);
      }
    });

    it('garbage is an error of the client, not of the gateway', async () => {
      const { openai } = stage.clients('plain');
      await failure(openai.chat.completions.create(chat('[[garbage]]')));
      await failure(openai.chat.completions.create(chat('[[garbage]]', { stream: true })).then(drain));
      assert.ok(await openai.chat.completions.create(chat('and on')));
    });

    it('a dead upstream is an InternalServerError', async () => {
      const dead = (dialect) => stage.clients('plain', { prefix: `/dead-${dialect}` });
      await expectError(dead('openai').openai.chat.completions.create(chat('hello')), OpenAI.InternalServerError, 502);
      const error = await expectError(dead('anthropic').anthropic.messages.create(message('hello')),
        Anthropic.InternalServerError, 502);
      assert.equal(error.type, 'api_error');
    });

    it('a slow one too', async () => {
      const slow = '[[first_byte_ms=3000]]';
      const hasty = (dialect) => stage.clients('plain', { prefix: `/hasty-${dialect}` });
      await expectError(hasty('openai').openai.chat.completions.create(chat(slow)), OpenAI.InternalServerError, 504);
      await expectError(hasty('anthropic').anthropic.messages.create(message(slow)),
        Anthropic.GatewayTimeoutError, 504);
    });
  });
});
