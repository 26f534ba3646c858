// The parts of the live demo against small servers of known behaviour: what is sent, and what is counted.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Gateway } from '../gateway_process.mjs';
import { startModelServer } from '../model_server.mjs';
import { decisionRows, replayLog } from './decisions.mjs';
import { gatewaySettings } from './live.mjs';
import { Tally } from './tally.mjs';
import { ADDRESS_HEADER, TIME_HEADER, apiKeyOf, keyLinesOf, sendAll } from './traffic.mjs';

const AGENT = 'openai-python/1.99.1';
const REFUSED_FROM = '2026-03-02T06:00:00Z';

/** A record every two hours for two days: the hostile account and an honest one take turns, in all dialects. */
function smallWorld() {
  const requests = [
    ['openai.chat', { model: 'm-large', messages: [{ role: 'user', content: 'one' }] }],
    ['openai.chat', { model: 'm-large', messages: [{ role: 'user', content: 'two' }], stream: true }],
    ['openai.responses', { model: 'm-large', input: 'three' }],
    ['anthropic.messages', { model: 'm-large', max_tokens: 8, messages: [{ role: 'user', content: 'four' }] }],
    ['anthropic.messages', { model: 'm-large', max_tokens: 32_000, stream: true,
      messages: [{ role: 'user', content: 'five' }] }],
  ];
  return Array.from({ length: 24 }, (_, at) => {
    const [dialect, request] = requests[at % requests.length];
    return { v: 1, id: `req_${at}`, time: new Date(Date.UTC(2026, 2, 1, at * 2)).toISOString(),
      account: at % 2 ? 'acct_h' : 'acct_b', key: at % 4 < 2 ? 'key_1' : 'key_2', dialect, request,
      client: { ip: `203.0.113.${at}`, user_agent: AGENT } };
  });
}

/** In front of the model server: refuses one key's account from a time on, as the gateway would. */
function startRefusing(upstream, refused_keys) {
  const server = http.createServer((request, response) => {
    const key = (request.headers.authorization ?? '').replace('Bearer ', '') || request.headers['x-api-key'];
    if (refused_keys.has(key) && request.headers[TIME_HEADER] >= REFUSED_FROM) {
      request.resume();
      response.writeHead(403, { 'content-type': 'application/json', 'stillwatch-level': 'verify' });
      return response.end('{"error":{"type":"permission_error","message":"verify","param":null,"code":"x"}}');
    }
    const onward = http.request(`${upstream}${request.url}`, { method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
    return request.pipe(onward);
  });
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server)); });
}

describe('live demo', () => {
  let model;
  let model_base;
  before(async () => {
    model = await startModelServer();
    model_base = `http://127.0.0.1:${model.port}`;
  });
  after(() => model.close());
  const seen = () => fetch(`${model_base}/control/seen`).then((answer) => answer.json());

  it('sends each record with its key, its software, its address and its time', async () => {
    await seen();
    const records = smallWorld();
    const done = await sendAll([...records, { ...records[0], dialect: 'text', request: { prompt: 'x' } }], model_base,
      { concurrency: 1 });
    assert.deepEqual([done.sent, done.skipped], [records.length, 1]);
    const requests = await seen();
    assert.equal(requests.length, records.length);
    for (const [at, { headers, path, body }] of requests.entries()) {
      const record = records[at];
      assert.equal(path, { 'openai.chat': '/v1/chat/completions', 'openai.responses': '/v1/responses',
        'anthropic.messages': '/v1/messages' }[record.dialect]);
      assert.deepEqual(JSON.parse(body), record.request);
      assert.equal(headers[TIME_HEADER], record.time);
      assert.equal(headers[ADDRESS_HEADER], record.client.ip);
      assert.equal(headers['user-agent'], AGENT);
      assert.equal(headers.authorization ?? `Bearer ${headers['x-api-key']}`, `Bearer ${apiKeyOf(record)}`);
    }
  });

  it('writes hashes of the keys that it uses, each once', async () => {
    const lines = (await keyLinesOf(smallWorld())).trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, 4);
    for (const { key_sha256, key, account } of lines) {
      assert.equal(key_sha256, createHash('sha256').update(apiKeyOf({ account, key })).digest('hex'));
    }
  });

  it('counts what is refused, by day and by side', async () => {
    const records = smallWorld();
    const refused = new Set(records.filter(({ account }) => account === 'acct_h').map(apiKeyOf));
    const server = await startRefusing(model_base, refused);
    const lines = [];
    const tally = new Tally(new Set(['acct_h']), (line) => lines.push(line));
    await sendAll(records, `http://127.0.0.1:${server.address().port}`, { concurrency: 4,
      on_start: (record) => tally.start(record), on_answer: (record, answer) => tally.answer(record, answer) });
    tally.finish();
    server.close();
    server.closeAllConnections();
    const result = tally.result();
    const expected = records.filter(({ account, time }) => account === 'acct_h' && time >= REFUSED_FROM);
    assert.equal(result.campaign.refused, expected.length);
    assert.equal(result.campaign.answered, 12 - expected.length);
    assert.deepEqual(result.others, { sent: 12, answered: 12, restricted: 0, refused: 0, broken: 0 });
    assert.equal(result.first_refusal, expected[0].time);
    assert.equal(result.campaign_accounts_refused, 1);
    assert.deepEqual(result.errors, { PermissionDeniedError: expected.length });
    assert.deepEqual(lines.map((line) => line.slice(0, 10)), ['2026-03-01', '2026-03-02']);
  });

  it('counts answers that break off, and goes on', async () => {
    const [record] = smallWorld();
    const messages = [{ role: 'user', content: '[[die_after=5]]' }];
    const broken = { ...record, request: { model: 'm-large', messages } };
    const tally = new Tally(new Set());
    await sendAll([broken, record], model_base, { concurrency: 2,
      on_start: (each) => tally.start(each), on_answer: (each, answer) => tally.answer(each, answer) });
    assert.deepEqual(tally.result().others, { sent: 2, answered: 1, restricted: 0, refused: 0, broken: 1 });
    assert.equal(tally.result().statuses[0], 1);
  });

  it('goes through the gateway at its own time, and the log of that replays', async () => {
    const binary = process.env.STILLWATCH_BINARY;
    assert.ok(binary, 'STILLWATCH_BINARY must name the binary under test');
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'stillwatch_live_'));
    const records = smallWorld();
    fs.writeFileSync(path.join(folder, 'accounts.ndjson'), `${JSON.stringify({ v: 1, account: 'acct_b',
      time: records[0].time, tier: 'standard', verification: 'card' })}\n`);
    const settings = gatewaySettings(folder);
    let gateway = null;
    try {
      gateway = await Gateway.start({ binary, folder, upstream_urls: [model_base], over: settings,
        keys: await keyLinesOf(records) });
      const statuses = [];
      // One at a time: two at once may arrive in either order, and the gateway's time never goes back.
      await sendAll(records, gateway.base, { concurrency: 1, on_answer: (_, { status }) => statuses.push(status) });
      assert.deepEqual(statuses, records.map(() => 200));
      assert.equal((await gateway.stop()).code, 0);
      const out = path.join(folder, 'report');
      assert.deepEqual(await replayLog({ binary, folder, settings, out }), { verdicts: 0, same: true });
      const summary = JSON.parse(fs.readFileSync(path.join(out, 'summary.json'), 'utf8'));
      assert.deepEqual([summary.records, summary.rejected, summary.shed], [records.length, 0, 0]);
      assert.deepEqual([summary.first, summary.last].map(Date.parse),
        [records[0].time, records.at(-1).time].map(Date.parse));
    } finally {
      await gateway?.stop();
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });

  it('sums up what was decided, by day and level', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'stillwatch_live_'));
    const file = path.join(folder, 'verdicts.ndjson');
    const lines = [['02T08', 'campaign', 'c-000001', 'verify'], ['02T08', 'account', 'h1', 'verify'],
      ['02T08', 'account', 'b', 'verify'], ['02T09', 'account', 'h2', 'verify'], ['02T10', 'account', 'h1', 'verify'],
      ['03T01', 'account', 'b', 'clear']].map(([time, kind, id, level]) => (
      JSON.stringify({ time: `2026-03-${time}:00:00Z`, subject: { kind, id }, level })));
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    assert.deepEqual(await decisionRows(file, new Set(['h1', 'h2'])), [
      { time: '2026-03-02T08:00:00Z', level: 'verify', campaign: 2, others: 1 },
      { time: '2026-03-03T01:00:00Z', level: 'clear', campaign: 0, others: 1 }]);
    fs.rmSync(folder, { recursive: true });
  });
});
