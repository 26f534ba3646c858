// What both official clients must get from a server that speaks the dialects: whole, streamed, listed, counted.
// Run against the model server itself, which proves the tests, and against a gateway in front of it, which must
// change nothing. `target()` gives the base address, `key` an accepted key.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as answers from './model_answers.mjs';
import { chat, clientsOf, drain, message } from './clients.mjs';

const PROMPT = 'Why is the sky blue at noon, and red at dusk?';
const textOf = (content) => content.map((part) => part.text ?? '').join('');

export function dialectSuite(name, target, key = 'sk-test') {
  const clients = () => clientsOf(target(), { key });

  describe(`${name}: OpenAI client`, () => {
    it('chat, whole', async () => {
      const body = chat(PROMPT);
      const got = await clients().openai.chat.completions.create(body);
      assert.deepEqual(got, answers.chatAnswer(body, {}));
    });

    it('chat, whole, with n, logprobs and reasoning', async () => {
      const body = chat(PROMPT, { n: 3, logprobs: true, reasoning_effort: 'high' });
      const got = await clients().openai.chat.completions.create(body);
      assert.equal(got.choices.length, 3);
      assert.equal(new Set(got.choices.map((choice) => choice.message.content)).size, 3);
      for (const choice of got.choices) {
        assert.equal(choice.logprobs.content.map((entry) => entry.token).join(''), choice.message.content);
        assert.match(choice.message.reasoning_content, /characters/);
      }
    });

    for (const include_usage of [false, true]) {
      it(`chat, streamed, include_usage ${include_usage}`, async () => {
        const { openai } = clients();
        const whole = answers.chatAnswer(chat(PROMPT), {});
        const stream_options = include_usage ? { stream_options: { include_usage } } : {};
        const body = chat(PROMPT, { stream: true, ...stream_options });
        const events = await drain(await openai.chat.completions.create(body));
        assert.ok(events.length > 5);
        const text = events.map((event) => event.choices[0]?.delta.content ?? '').join('');
        assert.equal(text, whole.choices[0].message.content);
        const usages = events.filter((event) => event.usage);
        assert.equal(usages.length, include_usage ? 1 : 0);
        if (include_usage) assert.deepEqual(usages[0].usage, whole.usage);
        assert.equal(events.filter((event) => event.choices[0]?.finish_reason === 'stop').length, 1);
      });
    }

    it('responses, whole', async () => {
      const got = await clients().openai.responses.create({ model: 'm-reason', input: PROMPT });
      assert.equal(got.status, 'completed');
      assert.deepEqual(got.output.map((item) => item.type), ['reasoning', 'message']);
      assert.equal(got.output_text, textOf(got.output[1].content));
      assert.equal(got.usage.total_tokens, got.usage.input_tokens + got.usage.output_tokens);
    });

    it('responses, streamed', async () => {
      const stream = await clients().openai.responses.create({ model: 'm-large', input: PROMPT, stream: true });
      const events = await drain(stream);
      assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, at) => at));
      const deltas = events.filter((event) => event.type === 'response.output_text.delta');
      const last = events.at(-1);
      assert.equal(last.type, 'response.completed');
      assert.equal(deltas.map((event) => event.delta).join(''), textOf(last.response.output[0].content));
      assert.ok(last.response.usage.output_tokens > 0);
    });

    it('embeddings: of one text and of several, both encodings', async () => {
      const { openai } = clients();
      const body = { model: 'm-embed', input: ['one', 'two', 'one'] };
      const packed = await openai.embeddings.create(body); // the client asks for base64 and unpacks it
      const plain = await openai.embeddings.create({ ...body, encoding_format: 'float' });
      const vectors = (answer) => answer.data.map(({ embedding }) => [...embedding]);
      assert.deepEqual(vectors(packed), vectors(plain));
      assert.deepEqual(plain.data[0].embedding, plain.data[2].embedding);
      assert.notDeepEqual(plain.data[0].embedding, plain.data[1].embedding);
    });

    it('models: listed and by name', async () => {
      const { openai } = clients();
      const models = await drain(await openai.models.list());
      assert.deepEqual(models.map(({ id }) => id), answers.modelList().data.map(({ id }) => id));
      assert.equal((await openai.models.retrieve('m-large')).id, 'm-large');
    });
  });

  describe(`${name}: Anthropic client`, () => {
    it('messages, whole', async () => {
      const body = message(PROMPT, { system: 'Answer shortly.' });
      const got = await clients().anthropic.messages.create(body);
      const want = answers.messageAnswer(body, {});
      assert.deepEqual({ ...got }, want);
    });

    it('messages, whole, with thinking', async () => {
      const thinking = { type: 'enabled', budget_tokens: 1024 };
      const got = await clients().anthropic.messages.create(message(PROMPT, { max_tokens: 2048, thinking }));
      assert.deepEqual(got.content.map((block) => block.type), ['thinking', 'text']);
      assert.ok(got.content[0].signature.length > 0);
    });

    it('messages, streamed', async () => {
      const body = message(PROMPT);
      const events = await drain(await clients().anthropic.messages.create({ ...body, stream: true }));
      assert.equal(events[0].type, 'message_start');
      assert.equal(events.at(-1).type, 'message_stop');
      const text = events.map((event) => event.delta?.text ?? '').join('');
      assert.equal(text, textOf(answers.messageAnswer(body, {}).content));
    });

    it('messages, streamed, put together by the client, with thinking', async () => {
      const thinking = { type: 'enabled', budget_tokens: 1024 };
      const body = message(PROMPT, { max_tokens: 2048, thinking });
      const seen = [];
      const stream = clients().anthropic.messages.stream(body);
      stream.on('text', (delta) => seen.push(delta));
      const got = await stream.finalMessage();
      const want = answers.messageAnswer({ ...body, stream: true }, {});
      assert.deepEqual(got.content, want.content);
      assert.equal(got.usage.output_tokens, want.usage.output_tokens);
      assert.equal(seen.join(''), want.content[1].text);
    });

    it('count_tokens', async () => {
      const { anthropic } = clients();
      const short = await anthropic.messages.countTokens({ model: 'm-large', messages: message('a few').messages });
      const long = await anthropic.messages.countTokens({ model: 'm-large', messages: message(PROMPT).messages });
      assert.ok(long.input_tokens > short.input_tokens);
    });

    it('models: listed', async () => {
      const models = await drain(await clients().anthropic.models.list());
      assert.deepEqual(models.map(({ id }) => id), answers.modelList().data.map(({ id }) => id));
    });
  });
}
