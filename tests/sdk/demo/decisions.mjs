// What the gateway decided during a live run, and the proof that its own query log tells the same: a replay of the log
// with the same secret, settings and account records must write the same verdicts, byte for byte.
import fs from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';
import { recordsOf } from './traffic.mjs';
import { tomlOf } from '../gateway_process.mjs';

/** Sections that mean the same to the gateway and to a replay. */
const SHARED_SECTIONS = ['intake', 'detect', 'policy', 'engine'];

/**
 * Rows { time, level, campaign, others }: the accounts that came to a level at one time, those of the campaign and
 * everybody else, in order of time.
 */
export async function decisionRows(verdicts, hostile) {
  const rows = new Map();
  for await (const { time, level, subject } of recordsOf(verdicts)) {
    if (subject.kind !== 'account') continue;
    const key = `${time} ${level}`;
    const row = rows.get(key) ?? { time, level, campaign: 0, others: 0 };
    rows.set(key, row);
    row[hostile.has(subject.id) ? 'campaign' : 'others'] += 1;
  }
  return [...rows.values()];
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
