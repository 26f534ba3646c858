// Each remedy as a customer with an official client meets it. Levels are set by a human's override through the admin
// API; what the engine decides by itself is shown by the demo. Needs STILLWATCH_BINARY.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as answers from './model_answers.mjs';
import { Anthropic, OpenAI, SMALL_CALLS, chat, countingFetch, drain, expectError, message } from './clients.mjs';
import { APPEAL_ADDRESS, Stage, THROTTLE_PER_MINUTE, VERIFY_ADDRESS, accountOf } from './gateway_fixture.mjs';

const THINKING = { max_tokens: 2048, thinking: { type: 'enabled', budget_tokens: 1024 } };
let stage;

/** What is said in the body, beside message and type; OpenAI's client unwraps the outer object. */
const detailsOf = (error) => (error.error.error ?? error.error).stillwatch;
const codeOf = (error) => (error.error.error ?? error.error).code;

function assertNamed(headers, level) {
  assert.equal(headers.get('stillwatch-level'), level);
  assert.equal(headers.get('stillwatch-rule'), 'override');
  assert.ok(headers.get('stillwatch-case'));
  assert.equal(headers.get('stillwatch-appeal'), APPEAL_ADDRESS);
  assert.ok(Date.parse(headers.get('stillwatch-expires')) > Date.now());
}

describe('gateway: remedies', () => {
  before(async () => { stage = await Stage.open(); });
  after(() => stage?.close());

  it('notice: the answer is the same, and its header says so', async () => {
    await stage.gateway.override(accountOf('notice'), 'notice');
    const body = chat('Am I noticed?', { n: 2, logprobs: true });
    const { data, response } = await stage.clients('notice').openai.chat.completions.create(body).withResponse();
    assert.deepEqual(data, answers.chatAnswer(body, {}));
    assertNamed(response.headers, 'notice');
    const other = await stage.clients('notice').anthropic.messages.create(message('And here?')).withResponse();
    assertNamed(other.response.headers, 'notice');
    const alone = await stage.clients('plain').openai.chat.completions.create(chat('I am not')).withResponse();
    assert.equal(alone.response.headers.get('stillwatch-level'), null);
  });

  describe('verify', () => {
    before(() => stage.gateway.override(accountOf('verify'), 'verify'));
    for (const { dialect, sdk, call } of SMALL_CALLS) {
      it(`${dialect}: a PermissionDeniedError with the reason and where to verify`, async () => {
        await stage.seen();
        const wire = countingFetch();
        const clients = stage.clients('verify', { maxRetries: 2, fetch: wire });
        const error = await expectError(call(clients, 'my secret prompt'), sdk.PermissionDeniedError, 403);
        assert.equal(wire.calls, 1, 'asking again is of no use, and the client knows');
        assert.equal(codeOf(error), 'verification_required');
        assert.ok(error.message.includes(VERIFY_ADDRESS), error.message);
        const details = detailsOf(error);
        assert.deepEqual([details.level, details.rule, details.scope, details.verify, details.appeal],
          ['verify', 'override', 'account', VERIFY_ADDRESS, APPEAL_ADDRESS]);
        assert.ok(details.case);
        assertNamed(error.headers, 'verify');
        assert.doesNotMatch(JSON.stringify(error.error), /acct_|my secret prompt/);
        assert.deepEqual(await stage.seen(), [], 'nothing reached the model server');
      });
    }
  });

  describe('throttle', () => {
    for (const [name, sdk, call] of [
      ['throttle', OpenAI, ({ openai }) => openai.chat.completions.create(chat('hello'))],
      ['throttle_a', Anthropic, ({ anthropic }) => anthropic.messages.create(message('hello'))],
    ]) {
      it(`${sdk.name}: a RateLimitError that says when to come again`, async () => {
        await stage.gateway.override(accountOf(name), 'throttle');
        const clients = stage.clients(name);
        let passed = 0;
        let error = null;
        for (let sent = 0; sent < 2 * THROTTLE_PER_MINUTE + 1; sent += 1) {
          const answer = await call(clients).withResponse().catch((caught) => { error = caught; });
          if (!answer) break;
          assertNamed(answer.response.headers, 'throttle');
          passed += 1;
        }
        assert.ok(passed >= 1 && passed <= THROTTLE_PER_MINUTE, `${passed} passed`);
        assert.ok(error instanceof sdk.RateLimitError);
        assert.equal(codeOf(error), 'throttled');
        assert.match(error.headers.get('retry-after'), /^[1-9]\d*$/);
        assertNamed(error.headers, 'throttle');
      });
    }
  });

  it('suspend: a PermissionDeniedError that says until when', async () => {
    await stage.gateway.override(accountOf('suspend'), 'suspend');
    for (const { sdk, call } of SMALL_CALLS) {
      const error = await expectError(call(stage.clients('suspend'), 'hello'), sdk.PermissionDeniedError, 403);
      assert.equal(codeOf(error), 'suspended');
      assert.ok(Date.parse(detailsOf(error).expires) > Date.now());
    }
  });

  describe('restrict', () => {
    before(() => stage.gateway.override(accountOf('restrict'), 'restrict'));
    const restricted = (headers) => {
      assertNamed(headers, 'restrict');
      assert.match(headers.get('stillwatch-restricted'), /strip_logprobs.*clamp_n.*remove_reasoning/);
    };

    it('chat: n clamped, log probabilities and reasoning gone, on both sides', async () => {
      await stage.seen();
      const body = chat('Restrict me', { n: 4, logprobs: true, top_logprobs: 2, reasoning_effort: 'high' });
      const { data, response } = await stage.clients('restrict').openai.chat.completions.create(body).withResponse();
      restricted(response.headers);
      assert.equal(data.choices.length, 1);
      assert.equal(data.choices[0].logprobs ?? null, null);
      assert.equal(data.choices[0].message.reasoning_content, undefined);
      const plain = answers.chatAnswer(chat('Restrict me'), {});
      assert.equal(data.choices[0].message.content, plain.choices[0].message.content);
      const forwarded = JSON.parse((await stage.seen())[0].body);
      assert.ok((forwarded.n ?? 1) === 1);
      for (const name of ['logprobs', 'top_logprobs', 'reasoning_effort']) {
        assert.ok(!forwarded[name], `${name} was forwarded`);
      }
      assert.deepEqual(forwarded.messages, body.messages);
    });

    it('chat: reasoning that nobody asked for is removed from the answer, whole and streamed', async () => {
      const { openai } = stage.clients('restrict');
      const body = chat('Think anyway', { model: 'm-reason' });
      const whole = await openai.chat.completions.create(body);
      assert.equal(whole.choices[0].message.reasoning_content, undefined);
      const { data, response } = await openai.chat.completions.create({ ...body, logprobs: true, stream: true,
        stream_options: { include_usage: true } }).withResponse();
      restricted(response.headers);
      const events = await drain(data);
      for (const { choices } of events) {
        assert.equal(choices[0]?.delta.reasoning_content, undefined);
        assert.equal(choices[0]?.logprobs ?? null, null);
      }
      const text = events.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
      assert.equal(text, whole.choices[0].message.content);
      assert.ok(events.at(-1).usage.total_tokens > 0);
    });

    it('responses: reasoning items are empty and log probabilities gone, whole and streamed', async () => {
      const { openai } = stage.clients('restrict');
      const body = { model: 'm-reason', input: 'Think anyway', include: ['message.output_text.logprobs'],
        reasoning: { effort: 'high', summary: 'auto' } };
      const { data, response } = await openai.responses.create(body).withResponse();
      restricted(response.headers);
      // The item stays as a shell, since later requests may name its id.
      const emptied = (output) => {
        assert.deepEqual(output.map(({ type }) => type), ['reasoning', 'message']);
        const { id, type, ...rest } = output[0];
        assert.deepEqual(rest, { summary: [] });
        assert.deepEqual(output[1].content[0].logprobs ?? [], []);
      };
      emptied(data.output);
      const events = await drain(await openai.responses.create({ ...body, stream: true }));
      assert.ok(events.every(({ type }) => !type.includes('reasoning')), 'no reasoning events');
      assert.ok(events.every(({ item }) => item?.type !== 'reasoning' || !item.summary.length), 'no reasoning text');
      const deltas = events.filter(({ type }) => type === 'response.output_text.delta');
      assert.equal(deltas.map(({ delta }) => delta).join(''), data.output_text);
      const last = events.at(-1);
      assert.equal(last.type, 'response.completed');
      emptied(last.response.output);
    });

    it('messages: thinking gone, and the client still puts the stream together', async () => {
      await stage.seen();
      const { anthropic } = stage.clients('restrict');
      const body = message('Think anyway', { model: 'm-reason', ...THINKING });
      const { data, response } = await anthropic.messages.create(body).withResponse();
      restricted(response.headers);
      assert.deepEqual(data.content.map(({ type }) => type), ['text']);
      assert.ok(!JSON.parse((await stage.seen())[0].body).thinking, 'thinking was forwarded');
      const got = await anthropic.messages.stream(body).finalMessage();
      // A client that counts blocks by their index loses the text when an index is left out.
      assert.deepEqual(got.content.map(({ type }) => type), ['text']);
      assert.equal(got.content[0].text, data.content[0].text);
    });

    it('a stream is edited event by event, and not held back', async () => {
      for (const [name, open] of [
        ['r-chat', ({ openai }, text) => openai.chat.completions.create(chat(text, { stream: true }))],
        ['r-messages', ({ anthropic }, text) => anthropic.messages.create(message(text, { stream: true }))],
      ]) {
        const events = (await open(stage.clients('restrict'), `[[hold=${name}]]`))[Symbol.asyncIterator]();
        assert.equal((await events.next()).done, false);
        assert.equal((await stage.release(name)).waited, true);
        let count = 1;
        while (!(await events.next()).done) count += 1;
        assert.ok(count > 5);
      }
    });

    it('embeddings and token counts have nothing to restrict and pass', async () => {
      const { openai, anthropic } = stage.clients('restrict');
      assert.equal((await openai.embeddings.create({ model: 'm-embed', input: 'x' })).data.length, 1);
      const counted = await anthropic.messages.countTokens({ model: 'm-large', messages: message('x').messages });
      assert.ok(counted.input_tokens > 0);
    });
  });

  it('an end user alone: the account and its other end users go on', async () => {
    await stage.gateway.override(accountOf('users'), 'verify', { end_user: 'u-1' });
    const { openai, anthropic } = stage.clients('users');
    const ask = (user) => openai.chat.completions.create(chat('hello', { user }));
    const error = await expectError(ask('u-1'), OpenAI.PermissionDeniedError, 403);
    assert.equal(detailsOf(error).scope, 'end_user');
    assert.ok(await ask('u-2'));
    assert.ok(await openai.chat.completions.create(chat('hello')));
    await expectError(anthropic.messages.create(message('hello', { metadata: { user_id: 'u-1' } })),
      Anthropic.PermissionDeniedError, 403);
    assert.ok(await anthropic.messages.create(message('hello', { metadata: { user_id: 'u-2' } })));
  });

  it('an override can be taken back, or replaced', async () => {
    const ask = () => stage.clients('lifted').openai.chat.completions.create(chat('hello'));
    await stage.gateway.override(accountOf('lifted'), 'verify');
    await expectError(ask(), OpenAI.PermissionDeniedError, 403);
    await stage.gateway.override(accountOf('lifted'), 'clear');
    assert.ok(await ask());
    await stage.gateway.override(accountOf('lifted'), 'suspend');
    await expectError(ask(), OpenAI.PermissionDeniedError, 403);
    await stage.gateway.removeOverride(accountOf('lifted'));
    assert.ok(await ask());
  });

  // Last: it concerns every account.
  it('one call puts everything into dry run: nothing is changed but one header', async () => {
    await stage.gateway.dryRun(true);
    for (const level of ['verify', 'throttle', 'restrict', 'suspend']) {
      await stage.gateway.override(accountOf('dry'), level);
      const { openai, anthropic } = stage.clients('dry');
      const body = chat('Do as if', { n: 3, logprobs: true, reasoning_effort: 'high' });
      await stage.seen();
      for (let round = 0; round <= THROTTLE_PER_MINUTE; round += 1) {
        const { data, response } = await openai.chat.completions.create(body).withResponse();
        assert.deepEqual(data, answers.chatAnswer(body, {}));
        assert.equal(response.headers.get('stillwatch-dry-run'), level);
        assert.equal(response.headers.get('stillwatch-restricted'), null);
      }
      const thinking = message('Do as if', THINKING);
      const { data, response } = await anthropic.messages.create(thinking).withResponse();
      assert.deepEqual({ ...data }, answers.messageAnswer(thinking, {}));
      assert.equal(response.headers.get('stillwatch-dry-run'), level);
      assert.ok((await stage.seen()).some((request) => request.body === JSON.stringify(body)));
    }
    await expectError(stage.clients('nobody').openai.chat.completions.create(chat('hello')),
      OpenAI.AuthenticationError, 401); // a rule of access is no remedy
    await stage.gateway.dryRun(false);
    await stage.gateway.override(accountOf('dry'), 'verify');
    await expectError(stage.clients('dry').openai.chat.completions.create(chat('hello')),
      OpenAI.PermissionDeniedError, 403);
  });
});
