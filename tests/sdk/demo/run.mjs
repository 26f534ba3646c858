// Runs a program to its end.
import { spawn } from 'node:child_process';
import fs from 'node:fs';

const SAID_CHARS_MAX = 4000;

/** Ends when the child does; standard output goes to `file`, what else it says is shown when it fails. */
export async function run(program, flags, file) {
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
