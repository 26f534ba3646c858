// What the simulated model says: answers that depend on the request alone, in the three dialects.
// The same request gets the same bytes, ids included; nothing here knows HTTP.
import { createHash } from 'node:crypto';

const WORDS = ('the still water moves under old stone while seven grey birds count slow hours and a lamp burns low '
  + 'near open doors where bread salt and iron wait for morning').split(' ');
const CREATED = 1_772_323_200; // 2026-03-01, so that answers do not depend on the day of the test
const N_MAX = 16;

const hex = (...parts) => createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** All text of a message content: a string, or an array of parts. */
function plain(content) {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => (typeof part === 'string' ? part : plain(part?.text ?? part?.content))).join(' ');
}

/** The text of all messages, and of the last one: what the answer is made of. */
export function promptOf(body) {
  const turns = body.messages ?? (Array.isArray(body.input) ? body.input : [{ content: body.input ?? '' }]);
  const texts = turns.map((turn) => plain(turn?.content ?? turn));
  return { all: [plain(body.system ?? body.instructions), ...texts].join(' '), last: texts.at(-1) ?? '' };
}

/** `[[name]]` and `[[name=value]]` in the prompt, or `name=value; ...` in a header, steer the server. */
export function switchesOf(prompt, header) {
  const found = {};
  for (const [, name, value] of prompt.matchAll(/\[\[(\w+)(?:=([\w.-]*))?\]\]/g)) found[name] = value ?? 'yes';
  for (const item of (header ?? '').split(';')) {
    const [name, value] = item.split('=').map((text) => text.trim());
    if (name) found[name] = value ?? 'yes';
  }
  return found;
}

export const countTokens = (text) => Math.max(1, Math.ceil(text.length / 4));

/** The words of one answer; `choice` tells the answers of one request apart. */
function wordsOf(prompt, limit, choice) {
  const digest = createHash('sha256').update(`${choice}\n${prompt}`).digest();
  const count = Math.min(limit ?? 64, 8 + (digest[0] % 8));
  return Array.from({ length: count }, (_, at) => (at ? ' ' : '') + WORDS[digest[at + 1] % WORDS.length]);
}

const logprob = (token) => ({ token, logprob: -0.125, bytes: [...Buffer.from(token)], top_logprobs: [] });
const reasons = (body) => /reason/.test(body.model ?? '') || Boolean(body.reasoning_effort ?? body.reasoning)
  || body.thinking?.type === 'enabled';
const thoughts = (prompt) => [`The question has ${prompt.length} characters.`, ' I answer it.'];

function settle(body, switches, limit) {
  const prompt = promptOf(body);
  const n = Math.min(Math.max(1, body.n ?? 1), N_MAX);
  const words = Number(switches.words ?? 0) || undefined;
  const choices = Array.from({ length: n }, (_, choice) => (words
    ? Array.from({ length: words }, (_unused, at) => (at ? ' ' : '') + WORDS[at % WORDS.length])
    : wordsOf(prompt.last, limit, choice)));
  const thinking = reasons(body) ? thoughts(prompt.last) : [];
  const reasoning = thinking.length * 5;
  return { prompt, choices, thinking, reasoning, input: countTokens(prompt.all),
    output: choices.reduce((sum, list) => sum + list.length, 0) + reasoning };
}

const chatUsage = (said) => ({ prompt_tokens: said.input, completion_tokens: said.output,
  total_tokens: said.input + said.output, prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: said.reasoning } });

export function chatAnswer(body, switches) {
  const said = settle(body, switches, body.max_completion_tokens ?? body.max_tokens);
  return {
    id: `chatcmpl-${hex('chat', body).slice(0, 24)}`, object: 'chat.completion', created: CREATED, model: body.model,
    choices: said.choices.map((words, index) => ({
      index, finish_reason: 'stop',
      message: { role: 'assistant', content: words.join(''), refusal: null,
        ...(said.thinking.length ? { reasoning_content: said.thinking.join('') } : {}) },
      logprobs: body.logprobs ? { content: words.map(logprob), refusal: null } : null,
    })),
    usage: chatUsage(said),
  };
}

/** Server-sent events as [event name or null, data]. */
export function* chatEvents(body, switches) {
  const said = settle(body, switches, body.max_completion_tokens ?? body.max_tokens);
  const wants_usage = body.stream_options?.include_usage === true;
  const chunk = (choices, usage = null) => [null, { id: `chatcmpl-${hex('chat', body).slice(0, 24)}`,
    object: 'chat.completion.chunk', created: CREATED, model: body.model, choices, ...(wants_usage ? { usage } : {}) }];
  const delta = (index, fields, finish_reason = null, logprobs = null) => (
    chunk([{ index, delta: fields, finish_reason, logprobs }]));
  for (const [index, words] of said.choices.entries()) {
    yield delta(index, { role: 'assistant', content: '' });
    for (const thought of said.thinking) yield delta(index, { reasoning_content: thought });
    for (const word of words) {
      yield delta(index, { content: word }, null, body.logprobs ? { content: [logprob(word)], refusal: null } : null);
    }
    yield delta(index, {}, 'stop');
  }
  if (wants_usage) yield chunk([], chatUsage(said));
  yield [null, '[DONE]'];
}

const wantsLogprobs = (body) => (body.include ?? []).includes('message.output_text.logprobs');

export function responsesAnswer(body, switches, status = 'completed') {
  const said = settle(body, switches, body.max_output_tokens);
  const id = hex('responses', body).slice(0, 24);
  const words = said.choices[0];
  const output = [];
  if (said.thinking.length) {
    output.push({ id: `rs_${id}`, type: 'reasoning',
      summary: [{ type: 'summary_text', text: said.thinking.join('') }] });
  }
  output.push({ id: `msg_${id}`, type: 'message', role: 'assistant', status: 'completed',
    content: [{ type: 'output_text', text: words.join(''), annotations: [],
      logprobs: wantsLogprobs(body) ? words.map(logprob) : [] }] });
  return {
    id: `resp_${id}`, object: 'response', created_at: CREATED, status, model: body.model, error: null,
    output: status === 'completed' ? output : [],
    usage: status === 'completed' ? { input_tokens: said.input, output_tokens: said.output,
      total_tokens: said.input + said.output, input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: said.reasoning } } : null,
  };
}

export function* responsesEvents(body, switches) {
  let sequence_number = 0;
  const event = (type, fields) => [type, { type, sequence_number: sequence_number++, ...fields }];
  const done = responsesAnswer(body, switches);
  const begun = responsesAnswer(body, switches, 'in_progress');
  yield event('response.created', { response: begun });
  yield event('response.in_progress', { response: begun });
  for (const [output_index, item] of done.output.entries()) {
    const place = { item_id: item.id, output_index };
    if (item.type === 'reasoning') {
      const text = item.summary[0].text;
      yield event('response.output_item.added', { output_index, item: { ...item, summary: [] } });
      yield event('response.reasoning_summary_part.added',
        { ...place, summary_index: 0, part: { type: 'summary_text', text: '' } });
      yield event('response.reasoning_summary_text.delta', { ...place, summary_index: 0, delta: text });
      yield event('response.reasoning_summary_text.done', { ...place, summary_index: 0, text });
      yield event('response.reasoning_summary_part.done', { ...place, summary_index: 0, part: item.summary[0] });
    } else {
      const part = item.content[0];
      const words = part.text.match(/ ?[^ ]+/g) ?? [];
      const text_place = { ...place, content_index: 0 };
      yield event('response.output_item.added',
        { output_index, item: { ...item, status: 'in_progress', content: [] } });
      yield event('response.content_part.added', { ...text_place, part: { ...part, text: '', logprobs: [] } });
      for (const delta of words) {
        yield event('response.output_text.delta',
          { ...text_place, delta, logprobs: wantsLogprobs(body) ? [logprob(delta)] : [] });
      }
      yield event('response.output_text.done', { ...text_place, text: part.text, logprobs: part.logprobs });
      yield event('response.content_part.done', { ...text_place, part });
    }
    yield event('response.output_item.done', { output_index, item });
  }
  yield event('response.completed', { response: done });
}

const messageBlocks = (said) => [
  ...(said.thinking.length ? [{ type: 'thinking', thinking: said.thinking.join(''),
    signature: hex('signature', said.thinking).slice(0, 32) }] : []),
  { type: 'text', text: said.choices[0].join('') },
];

export function messageAnswer(body, switches) {
  const said = settle({ ...body, n: 1 }, switches, body.max_tokens);
  return { id: `msg_${hex('message', body).slice(0, 24)}`, type: 'message', role: 'assistant', model: body.model,
    content: messageBlocks(said), stop_reason: 'end_turn', stop_sequence: null,
    usage: { input_tokens: said.input, output_tokens: said.output, cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0 } };
}

export function* messageEvents(body, switches) {
  const said = settle({ ...body, n: 1 }, switches, body.max_tokens);
  const event = (type, fields) => [type, { type, ...fields }];
  const answer = messageAnswer(body, switches);
  yield event('message_start', { message: { ...answer, content: [], stop_reason: null,
    usage: { ...answer.usage, output_tokens: 1 } } });
  yield event('ping', {});
  for (const [index, block] of answer.content.entries()) {
    const delta = (fields) => event('content_block_delta', { index, delta: fields });
    if (block.type === 'thinking') {
      yield event('content_block_start', { index, content_block: { type: 'thinking', thinking: '', signature: '' } });
      for (const thinking of said.thinking) yield delta({ type: 'thinking_delta', thinking });
      yield delta({ type: 'signature_delta', signature: block.signature });
    } else {
      yield event('content_block_start', { index, content_block: { type: 'text', text: '' } });
      for (const text of said.choices[0]) yield delta({ type: 'text_delta', text });
    }
    yield event('content_block_stop', { index });
  }
  yield event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: answer.usage.output_tokens } });
  yield event('message_stop', {});
}

export function embeddingAnswer(body) {
  const inputs = Array.isArray(body.input) ? body.input : [body.input];
  const tokens = inputs.reduce((sum, text) => sum + countTokens(String(text)), 0);
  const data = inputs.map((text, index) => {
    const digest = createHash('sha256').update(String(text)).digest();
    const vector = Float32Array.from({ length: body.dimensions ?? 8 }, (_, at) => digest[at % 32] / 256);
    const embedding = body.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector];
    return { object: 'embedding', index, embedding };
  });
  return { object: 'list', data, model: body.model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

const MODELS = ['m-small', 'm-medium', 'm-large', 'm-reason'];
/** OpenAI's and Anthropic's lists have the same address; one object serves both. */
export const modelList = () => ({ object: 'list', has_more: false, first_id: MODELS[0], last_id: MODELS.at(-1),
  data: MODELS.map((id) => ({ id, object: 'model', type: 'model', created: CREATED, owned_by: 'tests',
    display_name: id, created_at: '2026-03-01T00:00:00Z' })) });
