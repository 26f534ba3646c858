// The live part of the demo: a simulated model server, the gateway in front of it with remedies on, and the traffic of
// a small world with one hidden campaign, sent through the official clients. Two weeks of event time pass in a minute.
//   node live.mjs --binary=FILE --world=FILE.toml --out=FOLDER [--seed=1] [--concurrency=32] [--direct=yes]
// --direct=yes leaves the gateway out: what the clients and the model server do by themselves.
// Exit codes: 0 the campaign was stopped, 1 it was not, 2 bad arguments, 4 something could not be started.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Gateway } from '../gateway_process.mjs';
import { HEADING, Tally } from './tally.mjs';
import { ADDRESS_HEADER, TIME_HEADER, keyLinesOf, recordsOf, sendAll } from './traffic.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const REFUSED_SHARE_MIN = 0.5; // of the campaign's requests; replays of this world prevent 0.85 and more
const SAID_CHARS_MAX = 4000;
const WRITTEN = ['world', 'gateway', 'queries.ndjson', 'live.json']; // all that this program writes

/** Ends when the child does; standard output goes to `file`, what else it says is shown when it fails. */
async function run(program, flags, file) {
  const output = fs.openSync(file, 'w');
  const child = spawn(program, flags, { stdio: ['ignore', output, 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => { said = (said + text).slice(-SAID_CHARS_MAX); });
  const code = await new Promise((resolve) => {
    child.once('close', resolve);
    child.once('error', (error) => resolve(String(error)));
  });
  fs.closeSync(output);
  if (code !== 0) throw new Error(`${program} ${flags.join(' ')} ended with ${code}\n${said}`);
}

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

/** Remedies that refuse are on. Throttling is not: its pace counts real minutes, of which this month has one. */
const gatewaySettings = (world) => ({
  identity: { accounts_file: path.join(world, 'accounts.ndjson'),
    front_proxy: [{ networks: ['127.0.0.0/8'], address_header: ADDRESS_HEADER }] },
  remedies: { dry_run: false, notice: 'on', verify: 'on', restrict: 'on',
    verify_address: 'https://provider.example/verify', appeal_address: 'https://provider.example/appeal' },
  policy: { dry_run: false },
  observer: { order_wait_seconds: 7200 }, // of event time: the requests under way at once span some hours of it
  query_log: { sync: 'never' },
  demo: { time_header: TIME_HEADER },
});

const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : 'none');
const count = (number) => number.toLocaleString('en');

function report(result, accounts, done) {
  const { campaign, others } = result;
  console.log(`\nSent ${count(done.sent)} requests in ${Math.round(done.seconds)} s `
    + `(${count(Math.round(done.sent / done.seconds))} a second) through the official clients.`);
  if (done.skipped) console.log(`${count(done.skipped)} records of a dialect without a client were not sent.`);
  console.log(`Campaign: ${count(campaign.refused)} of ${count(campaign.sent)} requests refused `
    + `(${percent(campaign.refused, campaign.sent)}), ${count(result.campaign_accounts_refused)} of `
    + `${count(accounts.hostile)} accounts.`);
  if (result.first_refusal) {
    const hours = (Date.parse(result.first_refusal) - Date.parse(result.first_request)) / 3_600_000;
    console.log(`First refusal ${hours.toFixed(1)} hours of event time after its first request.`);
  }
  console.log(`Everybody else: ${count(others.refused)} of ${count(others.sent)} requests refused, `
    + `${count(result.others_accounts_refused)} of ${count(accounts.others)} accounts.`);
  const broken = campaign.broken + others.broken;
  if (broken) console.log(`${count(broken)} requests got no proper answer: ${JSON.stringify(result.statuses)}`);
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
  let gateway = null;
  try {
    if (flags.direct !== 'yes') {
      gateway = await Gateway.start({ binary, folder: path.join(out, 'gateway'), upstream_urls: [model.base],
        over: gatewaySettings(path.resolve(world)), keys: await keyLinesOf(recordsOf(queries)) });
    }
    for (const line of HEADING) console.log(line);
    const tally = new Tally(hostile, (line) => console.log(line));
    const done = await sendAll(recordsOf(queries), gateway?.base ?? model.base, { concurrency: Number(concurrency),
      on_start: (record) => tally.start(record), on_answer: (record, answer) => tally.answer(record, answer) });
    tally.finish();
    const result = { ...tally.result(), ...done };
    fs.writeFileSync(path.join(out, 'live.json'), `${JSON.stringify(result, null, 1)}\n`);
    report(result, { hostile: hostile.size, others: accounts_count - hostile.size }, done);
    if (!gateway) return 0;
    return result.campaign.refused >= REFUSED_SHARE_MIN * result.campaign.sent ? 0 : 1;
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
