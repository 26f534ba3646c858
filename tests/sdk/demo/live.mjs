// The live part of the demo: a simulated model server, the gateway in front of it with remedies on, and the traffic of
// a small world with one hidden campaign, sent through the official clients. Two weeks of event time pass in a minute.
//   node live.mjs --binary=FILE --world=FILE.toml --out=FOLDER [--seed=1] [--concurrency=32] [--direct=yes]
// --direct=yes leaves the gateway out: what the clients and the model server do by themselves.
// At the end the gateway's query log is replayed: it must give the same verdicts, byte for byte.
// Exit codes: 0 all that is promised held, 1 something did not: the campaign stopped, nobody else refused, the replay;
// 2 bad arguments, 4 something could not be started.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Gateway } from '../gateway_process.mjs';
import { decisionRows, replayLog } from './decisions.mjs';
import { run } from './run.mjs';
import { HEADING, Tally } from './tally.mjs';
import { ADDRESS_HEADER, TIME_HEADER, keyLinesOf, recordsOf, sendAll } from './traffic.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const REFUSED_SHARE_MIN = 0.5; // of the campaign's requests; replays of this world prevent 0.85 and more
// A second is many hours, in which requests under way at once may end in any order.
const LATENESS_MINUTES = 1440;
const LABEL_CHARS = 12; // as tools/demo.sh
const TEXT_CHARS_MAX = 96;
const WRITTEN = ['world', 'gateway', 'report', 'queries.ndjson', 'live.json']; // all that this program writes

/** The model server in a process of its own, so that it is not the clients' time. */
async function startModelServer() {
  const child = spawn(process.execPath, [path.join(HERE, '../model_server.mjs'), '--remember=no'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => resolve(Number(/listening on (\d+)/.exec(text)?.[1])));
    child.once('exit', (code) => reject(new Error(`the model server ended with ${code}`)));
  });
  return { base: `http://127.0.0.1:${port}`, stop: () => child.kill() };
}

/**
 * Remedies that refuse are on. Throttling is not: its limit of a minute would let a campaign of 26 requests a day and
 * account pass; whom the engine wants throttled is asked to verify instead.
 */
export const gatewaySettings = (world) => ({
  identity: { accounts_file: path.join(world, 'accounts.ndjson'),
    front_proxy: [{ networks: ['127.0.0.0/8'], address_header: ADDRESS_HEADER }] },
  remedies: { dry_run: false, notice: 'on', verify: 'on', restrict: 'on',
    verify_address: 'https://provider.example/verify', appeal_address: 'https://provider.example/appeal' },
  policy: { dry_run: false },
  intake: { lateness_minutes: LATENESS_MINUTES },
  query_log: { sync: 'never' },
  demo: { time_header: TIME_HEADER },
});

const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : 'none');
const count = (number) => number.toLocaleString('en');
const hoursBetween = (from, to) => (Date.parse(to) - Date.parse(from)) / 3_600_000;
const wrapped = (text) => text.match(new RegExp(`\\S.{0,${TEXT_CHARS_MAX}}(?=\\s|$)`, 'g')) ?? [];
const label = (name, text) => console.log(`${name.padEnd(LABEL_CHARS)}${text}`);

function tellTraffic(result, accounts) {
  const { campaign, others } = result;
  const hours_a_second = hoursBetween(result.first_time, result.last_time) / result.seconds;
  console.log('');
  label('Sent', `${count(result.sent)} requests in ${Math.round(result.seconds)} s `
    + `(${count(Math.round(result.sent / result.seconds))} a second; a second is ${hours_a_second.toFixed(0)} hours)`);
  if (result.skipped) label('', `${count(result.skipped)} records of an API without a client were not sent`);
  label('Campaign', `${count(campaign.refused)} of its ${count(campaign.sent)} requests refused `
    + `(${percent(campaign.refused, campaign.sent)}), ${count(result.campaign_accounts_refused)} of its `
    + `${count(accounts.hostile)} accounts`);
  if (result.first_refusal) {
    label('', `first refusal ${hoursBetween(result.first_request, result.first_refusal).toFixed(0)} hours after its `
      + 'first request');
    label('', `its client got ${result.refusal.type}:`);
    for (const line of wrapped(result.refusal.message)) label('', `  ${line}`);
  }
  label('Others', `${count(others.refused)} of their ${count(others.sent)} requests refused, `
    + `${count(result.others_accounts_refused)} of ${count(accounts.others)} accounts`);
  const restricted = campaign.restricted + others.restricted;
  if (restricted) label('', `${count(restricted)} answers were restricted`);
  const broken = campaign.broken + others.broken;
  if (broken) label('', `${count(broken)} requests got no proper answer: ${JSON.stringify(result.statuses)}`);
}

function tellDecisions(rows) {
  for (const [at, { time, level, campaign, others }] of rows.entries()) {
    const whose = [campaign && `${campaign} accounts of the campaign`,
      others && `${others} of others`].filter(Boolean);
    label(at ? '' : 'Decided', `${time.slice(0, 16).replace('T', ' ')}  ${level.padEnd(9)} ${whose.join(', ')}`);
  }
}

/** Stops the gateway, says what it decided, and replays its log. */
async function judge(gateway, { binary, hostile, settings, out }) {
  const ended = await gateway.stop();
  if (ended.code !== 0) throw new Error(`the gateway ended with ${JSON.stringify(ended)}:\n${gateway.lastLines()}`);
  const verdicts = path.join(gateway.folder, 'state/verdicts.ndjson');
  tellDecisions(await decisionRows(verdicts, hostile));
  const report = path.join(out, 'report');
  const replay = await replayLog({ binary, folder: gateway.folder, settings, out: report });
  label('Proof', `the log replayed: ${count(replay.verdicts)} verdicts, ${replay.same ? 'the same' : 'NOT THE SAME'}`);
  console.log('');
  label('Verdicts', verdicts);
  label('Query log', `${path.join(gateway.folder, 'log')}/ (no prompts in it: fingerprints)`);
  label('Report', `${path.join(report, 'report.html')} (of the replay of that log)`);
  label('Settings', `${path.join(gateway.folder, 'gateway.toml')}; log of the gateway: gateway.log beside it`);
  label('By day', path.join(out, 'live.json'));
  return replay;
}

/** The exit code; what did not hold is said. */
function outcome({ campaign, others, replay }) {
  const problems = [
    campaign.refused < REFUSED_SHARE_MIN * campaign.sent && 'the campaign was not stopped',
    others.refused > 0 && 'honest requests were refused',
    campaign.broken + others.broken > 0 && 'requests got no proper answer',
    replay.verdicts === 0 && 'there was no verdict',
    !replay.same && 'the replay of the query log gave other verdicts than the live gateway',
  ].filter(Boolean);
  for (const problem of problems) console.error(`live: ${problem}`);
  return problems.length ? 1 : 0;
}

export async function main(flags) {
  // The clients read these: the demo talks to nobody but its own servers.
  for (const name of Object.keys(process.env)) if (/^(OPENAI|ANTHROPIC)_/.test(name)) delete process.env[name];
  const { binary, world: world_file, out, seed = '1', concurrency = '32' } = flags;
  if (!binary || !world_file || !out) {
    console.error('live: --binary=FILE --world=FILE --out=FOLDER are needed');
    return 2;
  }
  for (const name of WRITTEN) fs.rmSync(path.join(out, name), { recursive: true, force: true });
  const world = path.join(out, 'world');
  const queries = path.join(out, 'queries.ndjson');
  fs.mkdirSync(world, { recursive: true });
  await run(binary, ['simulate', `--world=${world_file}`, `--seed=${seed}`, `--out=${world}`, '--stream'], queries);
  const hostile = new Set();
  let accounts_count = 0;
  for await (const { account, hostile: is_hostile } of recordsOf(path.join(world, 'truth.ndjson'))) {
    accounts_count += 1;
    if (is_hostile) hostile.add(account);
  }

  const model = await startModelServer();
  const settings = gatewaySettings(path.resolve(world));
  let gateway = null;
  try {
    if (flags.direct !== 'yes') {
      gateway = await Gateway.start({ binary, folder: path.join(out, 'gateway'), upstream_urls: [model.base],
        over: settings, keys: await keyLinesOf(recordsOf(queries)) });
    }
    console.log(`${count(accounts_count)} accounts send 15 days of requests through the official clients and the `
      + 'gateway to a model server.\n'
      + `${count(hostile.size)} of them are one campaign that begins on the ninth day. For a week the gateway learns `
      + 'what is usual;\nthen it refuses whom it finds out, until the account is verified.\n');
    for (const line of HEADING) console.log(line);
    const tally = new Tally(hostile, (line) => console.log(line));
    const done = await sendAll(recordsOf(queries), gateway?.base ?? model.base, { concurrency: Number(concurrency),
      on_start: (record) => tally.start(record), on_answer: (record, answer) => tally.answer(record, answer) });
    tally.finish();
    const result = { ...tally.result(), ...done };
    tellTraffic(result, { hostile: hostile.size, others: accounts_count - hostile.size });
    if (gateway) result.replay = await judge(gateway, { binary, hostile, settings, out });
    fs.writeFileSync(path.join(out, 'live.json'), `${JSON.stringify(result, null, 1)}\n`);
    return gateway ? outcome(result) : 0;
  } finally {
    await gateway?.stop();
    model.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flags = Object.fromEntries(process.argv.slice(2).map((flag) => flag.replace(/^--/, '').split('=')));
  main(flags).then((code) => { process.exitCode = code; }, (error) => {
    console.error(`live: ${error.message}`);
    process.exitCode = 4;
  });
}
