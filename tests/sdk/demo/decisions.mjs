// What the gateway decided during a live run, and the proof that its own query log tells the same: a replay of the log
// with the same secret, settings and account records must write the same verdicts, byte for byte.
import fs from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';
import { recordsOf } from './traffic.mjs';
import { tomlOf } from '../gateway_process.mjs';

/** Sections that mean the same to the gateway and to a replay. */
const SHARED_SECTIONS = ['intake', 'detect', 'policy', 'engine'];
const DAY_CHARS = 10; // of an RFC 3339 time

/**
 * Rows { time, level, campaign, others }: how many accounts came to a level in one day, those of the campaign and
 * everybody else, and when the first did; in order of time.
 */
export async function decisionRows(verdicts, hostile) {
  const rows = new Map();
  for await (const { time, level, subject } of recordsOf(verdicts)) {
    if (subject.kind !== 'account') continue;
    const key = `${time.slice(0, DAY_CHARS)} ${level}`;
    const row = rows.get(key) ?? { time, level, accounts: { campaign: new Set(), others: new Set() } };
    rows.set(key, row);
    row.accounts[hostile.has(subject.id) ? 'campaign' : 'others'].add(subject.id);
  }
  return [...rows.values()].map(({ time, level, accounts: { campaign, others } }) => (
    { time, level, campaign: campaign.size, others: others.size }));
}

/**
 * Replays the query log of a gateway that has ended. `folder`: the gateway's, with log, state and secret; `settings`:
 * what it ran under. Resolves to { verdicts, same }: how many lines the replay wrote, and whether the files are equal.
 */
export async function replayLog({ binary, folder, settings, out }) {
  const log = path.join(folder, 'log');
  const files = fs.readdirSync(log).filter((name) => name.endsWith('.ndjson.zst')).sort();
  const shared = Object.fromEntries(SHARED_SECTIONS.filter((name) => settings[name]).map((name) => (
    [name, settings[name]])));
  const config = path.join(folder, 'replay.toml');
  fs.writeFileSync(config, tomlOf(shared));
  await run(binary, ['replay', ...files.map((name) => path.join(log, name)), `--config=${config}`,
    `--accounts=${path.join(folder, 'state/accounts.ndjson')}`, `--secret=${path.join(folder, 'stillwatch.secret')}`,
    `--out=${out}`, '--quiet'], path.join(folder, 'replay.txt'));
  const again = fs.readFileSync(path.join(out, 'verdicts.ndjson'));
  const verdicts = again.toString('utf8').split('\n').length - 1;
  return { verdicts, same: again.equals(fs.readFileSync(path.join(folder, 'state/verdicts.ndjson'))) };
}
