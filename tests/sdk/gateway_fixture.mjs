// One gateway before one model server, with accounts, keys and rules for every refusal and remedy.
// The model server remembers what came through, so that tests see both ends.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { clientsOf } from './clients.mjs';
import { Gateway, freePort, keyLine } from './gateway_process.mjs';
import { startModelServer } from './model_server.mjs';

export const VERIFY_ADDRESS = 'https://provider.example/verify';
export const APPEAL_ADDRESS = 'https://provider.example/appeal';
export const THROTTLE_PER_MINUTE = 3;
export const FIRST_BYTE_SECONDS = 1;

// One account each, so that no test meets what another one did: its key is `sk-` and its name.
const ACCOUNTS = ['plain', 'notice', 'verify', 'throttle', 'throttle_a', 'restrict', 'suspend', 'lifted', 'dry',
  'users'];
const RULED = {
  narrow: { tier: 'narrow' },
  away: { key: 'key_away' },
  expired: { expires: '2020-01-01T00:00:00Z' },
  limited: { key: 'key_limited' },
  limited_a: { key: 'key_limited_a' },
  one_stream: { key: 'key_one_stream' },
};

export const keyOf = (name) => `sk-${name}`;
export const accountOf = (name) => `acct_${name}`;

export class Stage {
  static async open() {
    const binary = process.env.STILLWATCH_BINARY;
    if (!binary) throw new Error('STILLWATCH_BINARY must name the binary under test');
    const stage = new Stage();
    stage.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'stillwatch_sdk_'));
    stage.model = await startModelServer();
    stage.model_base = `http://127.0.0.1:${stage.model.port}`;
    const keys = [...ACCOUNTS.map((name) => [name, {}]), ...Object.entries(RULED)].map(([name, fields]) => (
      keyLine(keyOf(name), { key: `key_${name}`, account: accountOf(name), ...fields })));
    const limits = { key: { requests_per_minute: 60 } };
    const dead = `http://127.0.0.1:${await freePort()}`;
    try {
      stage.gateway = await Gateway.start({ binary, folder: stage.folder, keys: `${keys.join('\n')}\n`,
        upstream_urls: [stage.model_base], over: {
          server: { overhead_header: true },
          upstream: [
            { name: 'model', urls: [stage.model_base], prefixes: ['/'] },
            { name: 'dead-openai', urls: [dead], prefixes: ['/dead-openai'], dialect: 'openai' },
            { name: 'dead-anthropic', urls: [dead], prefixes: ['/dead-anthropic'], dialect: 'anthropic' },
            { name: 'hasty-openai', urls: [stage.model_base], prefixes: ['/hasty-openai'], dialect: 'openai',
              first_byte_seconds: FIRST_BYTE_SECONDS },
            { name: 'hasty-anthropic', urls: [stage.model_base], prefixes: ['/hasty-anthropic'], dialect: 'anthropic',
              first_byte_seconds: FIRST_BYTE_SECONDS },
          ],
          tiers: { narrow: { models: ['m-small'], n_max: 2, logprobs: false, output_tokens_max: 100 } },
          keys: {
            key_away: { networks: ['198.51.100.0/24'] },
            key_limited: { limits },
            key_limited_a: { limits },
            key_one_stream: { limits: { key: { streams_max: 1 } } },
          },
          remedies: { dry_run: false, notice: 'on', verify: 'on', throttle: 'on', restrict: 'on', suspend: 'on',
            verify_address: VERIFY_ADDRESS, appeal_address: APPEAL_ADDRESS,
            throttle_requests_per_minute: THROTTLE_PER_MINUTE, show_dry_run: true },
        } });
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  clients(name, options = {}) {
    return clientsOf(`${this.gateway.base}${options.prefix ?? ''}`, { key: keyOf(name), ...options });
  }

  /** What the model server got since the last call. */
  async seen() {
    return (await fetch(`${this.model_base}/control/seen`)).json();
  }

  release(name) {
    return fetch(`${this.model_base}/control/release/${name}`, { method: 'POST' }).then((answer) => answer.json());
  }

  async close() {
    await this.gateway?.stop();
    await this.model.close();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
