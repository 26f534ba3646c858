// A small simulated model server for tests and the demo: no dependencies, no state but what tests ask it to keep.
//   node model_server.mjs [--port=0] [--bind=127.0.0.1]      prints one line: listening on PORT
// Switches, in the prompt as `[[name=value]]` or in the header `x-model-switch: name=value; ...`:
//   words=N           an answer of N words              status=429|500|...   that error, in the dialect of the path
//   first_byte_ms=N   silence before the first byte     pace_ms=N            a pause between the events of a stream
//   die_after=N       cut the connection after N events of a stream, or N bytes of an answer
//   garbage           200, and bytes that are no JSON and no event
//   hold=NAME         the stream stops after its first event until POST /control/release/NAME
// GET /control/seen gives the requests seen since the last time it was asked (the last 1,000).
import http from 'node:http';
import { pathToFileURL } from 'node:url';
import * as answers from './model_answers.mjs';

const BODY_BYTES_MAX = 64 << 20;
const SEEN_MAX = 1000;

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function sendJson(response, status, value, headers = {}) {
  const text = JSON.stringify(value);
  response.writeHead(status,
    { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

function errorBody(path, status) {
  const message = `the model server was asked to answer ${status}`;
  if (path.startsWith('/v1/messages')) {
    const types = { 400: 'invalid_request_error', 429: 'rate_limit_error', 529: 'overloaded_error' };
    const type = types[status] ?? 'api_error';
    return { type: 'error', error: { type, message }, request_id: 'req_model_server' };
  }
  return { error: { message, type: status === 429 ? 'rate_limit_error' : 'server_error', param: null, code: null } };
}

async function readBody(request) {
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > BODY_BYTES_MAX) throw new Error('the body is over the limit');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

const writable = (response) => new Promise((resolve) => {
  const done = () => {
    response.off('drain', done).off('close', done);
    resolve();
  };
  response.on('drain', done).on('close', done);
});

const eventText = ([name, data]) => (name ? `event: ${name}\n` : '')
  + `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

// path → [whole answer, events or null]
const ROUTES = {
  '/v1/chat/completions': [answers.chatAnswer, answers.chatEvents],
  '/v1/responses': [answers.responsesAnswer, answers.responsesEvents],
  '/v1/messages': [answers.messageAnswer, answers.messageEvents],
  '/v1/embeddings': [answers.embeddingAnswer, null],
  '/v1/messages/count_tokens': [(body) => ({ input_tokens: answers.countTokens(answers.promptOf(body).all) }), null],
};

/** Starts a server. Returns { port, seen, close }. */
export async function startModelServer({ port = 0, bind = '127.0.0.1', remember = true } = {}) {
  let seen = [];
  const held = new Map(); // name → release function, or true when released before the stream came

  async function stream(response, events, switches) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    let count = 0;
    for (const event of events) {
      if (response.destroyed) return;
      if (!response.write(eventText(event))) {
        await writable(response);
      }
      count += 1;
      if (count === 1 && switches.hold) {
        await new Promise((resolve) => {
          if (held.get(switches.hold) === true) resolve();
          else held.set(switches.hold, resolve);
          response.once('close', resolve);
        });
        held.delete(switches.hold);
      }
      if (count === Number(switches.die_after)) {
        await sleep(20); // what was written leaves first
        response.destroy();
        return;
      }
      if (switches.pace_ms) await sleep(Number(switches.pace_ms));
    }
    response.end();
  }

  function control(request, response, path) {
    if (path === '/control/seen') {
      sendJson(response, 200, seen);
      seen = [];
    } else if (path.startsWith('/control/release/')) {
      const name = path.slice('/control/release/'.length);
      const release = held.get(name);
      if (typeof release === 'function') release();
      else held.set(name, true);
      sendJson(response, 200, { waited: typeof release === 'function' });
    } else {
      sendJson(response, 404, { error: { message: 'no such control' } });
    }
  }

  async function answer(request, response) {
    // What stands before /v1 chooses an upstream of the gateway, and nothing here.
    const path = request.url.split('?')[0].replace(/^.*(?=\/v1\/)/, '');
    if (path.startsWith('/control/')) return control(request, response, path);
    const text = await readBody(request);
    if (remember) {
      const { method, headers, rawHeaders: raw_headers } = request;
      seen.push({ method, path, headers, raw_headers, body: text });
      if (seen.length > SEEN_MAX) seen.shift();
    }
    if (request.method === 'GET' && path === '/v1/models') return sendJson(response, 200, answers.modelList());
    if (request.method === 'GET' && path.startsWith('/v1/models/')) {
      const model = answers.modelList().data.find(({ id }) => id === path.slice('/v1/models/'.length));
      return model ? sendJson(response, 200, model) : sendJson(response, 404, errorBody(path, 404));
    }
    const route = ROUTES[path];
    if (!route || request.method !== 'POST') return sendJson(response, 404, errorBody(path, 404));
    let body;
    try {
      body = JSON.parse(text);
    } catch {
      return sendJson(response, 400, errorBody(path, 400));
    }
    const switches = answers.switchesOf(answers.promptOf(body).last, request.headers['x-model-switch']);
    if (switches.first_byte_ms) await sleep(Number(switches.first_byte_ms));
    if (switches.status) {
      const status = Number(switches.status);
      return sendJson(response, status, errorBody(path, status), status === 429 ? { 'retry-after': '7' } : {});
    }
    const [whole, events] = route;
    const streamed = Boolean(body.stream && events);
    if (switches.garbage) {
      response.writeHead(200, { 'content-type': streamed ? 'text/event-stream' : 'application/json' });
      return response.end(streamed ? 'data: {"id":\n\ndata: \u0000\u0001]]}\n\n' : '<html>{"id":');
    }
    if (streamed) return stream(response, events(body, switches), switches);
    if (switches.die_after) {
      const answer_text = JSON.stringify(whole(body, switches));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer_text) });
      response.write(answer_text.slice(0, Number(switches.die_after)));
      await sleep(20);
      return response.destroy();
    }
    return sendJson(response, 200, whole(body, switches), { 'x-request-id': 'req_model_server' });
  }

  const server = http.createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, bind, 4096, resolve);
  });
  return {
    port: server.address().port,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const flags = Object.fromEntries(process.argv.slice(2).map((flag) => flag.replace(/^--/, '').split('=')));
  const { port } = await startModelServer({ port: Number(flags.port ?? 0), bind: flags.bind,
    remember: flags.remember !== 'no' });
  console.log(`listening on ${port}`);
  const end = () => process.exit(0);
  process.on('SIGTERM', end).on('SIGINT', end);
}
