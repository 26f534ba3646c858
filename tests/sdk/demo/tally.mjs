// Counts answers over event time, apart for the accounts of the campaign and for everybody else, and prints a row for
// each day as soon as no request of that day is under way any more.
const DAY_CHARS = 10; // of an RFC 3339 time

const side = () => ({ sent: 0, answered: 0, restricted: 0, refused: 0, broken: 0 });
const isRefusal = ({ status }) => status === 403 || status === 429;

export const HEADING = [
  '            | the campaign                  | everybody else',
  'day         |    sent   answered    refused |    sent   answered    refused',
];

export class Tally {
  #hostile;
  #print;
  #days = new Map();
  #underway = new Map(); // day → requests started and not answered
  #printed = new Set();

  /** `hostile`: a Set of account ids. `print`: called with each finished line. */
  constructor(hostile, print = () => {}) {
    this.#hostile = hostile;
    this.#print = print;
    this.refused_accounts = { campaign: new Set(), others: new Set() };
    this.first_refusal = null; // event time of the first refused request of the campaign
    this.first_request = null;
    this.first_time = null; // of all requests
    this.last_time = null;
    this.refusal = null; // what the client of that request was told
    this.statuses = {};
    this.errors = {};
  }

  start(record) {
    this.first_time ??= record.time;
    this.last_time = record.time;
    const day = record.time.slice(0, DAY_CHARS);
    this.#underway.set(day, (this.#underway.get(day) ?? 0) + 1);
  }

  answer(record, answer) {
    const day = record.time.slice(0, DAY_CHARS);
    const row = this.#days.get(day) ?? { campaign: side(), others: side() };
    this.#days.set(day, row);
    const name = this.#hostile.has(record.account) ? 'campaign' : 'others';
    const counts = row[name];
    counts.sent += 1;
    this.statuses[answer.status] = (this.statuses[answer.status] ?? 0) + 1;
    if (answer.type) this.errors[answer.type] = (this.errors[answer.type] ?? 0) + 1;
    if (name === 'campaign' && (this.first_request === null || record.time < this.first_request)) {
      this.first_request = record.time;
    }
    if (isRefusal(answer)) {
      counts.refused += 1;
      this.refused_accounts[name].add(record.account);
      if (name === 'campaign' && (this.first_refusal === null || record.time < this.first_refusal)) {
        this.first_refusal = record.time;
        this.refusal = { status: answer.status, type: answer.type, message: answer.message };
      }
    } else if (answer.status === 200) {
      counts.answered += 1;
      if (answer.restricted) counts.restricted += 1;
    } else {
      counts.broken += 1;
    }
    this.#underway.set(day, this.#underway.get(day) - 1);
    this.#printFinished(day);
  }

  /** Records come in order of time, so a day before the newest one gets no more once nothing of it is under way. */
  #printFinished() {
    const newest = [...this.#underway.keys()].sort().at(-1);
    for (const [day, count] of [...this.#underway].sort()) {
      if (day === newest || count > 0) return;
      this.#row(day);
    }
  }

  #row(day) {
    if (this.#printed.has(day) || !this.#days.has(day)) return;
    this.#printed.add(day);
    const { campaign, others } = this.#days.get(day);
    const cell = (count, width) => (count ? count.toLocaleString('en') : '-').padStart(width);
    const cells = ({ sent, answered, refused }) => cell(sent, 8) + cell(answered, 11) + cell(refused, 11);
    this.#print(`${day}  |${cells(campaign)} |${cells(others)}`);
  }

  finish() {
    for (const day of [...this.#days.keys()].sort()) this.#row(day);
  }

  total(name) {
    const sum = side();
    for (const row of this.#days.values()) for (const key of Object.keys(sum)) sum[key] += row[name][key];
    return sum;
  }

  /** The same numbers for programs. */
  result() {
    return {
      days: Object.fromEntries([...this.#days].sort()),
      campaign: this.total('campaign'), others: this.total('others'),
      campaign_accounts_refused: this.refused_accounts.campaign.size,
      others_accounts_refused: this.refused_accounts.others.size,
      first_request: this.first_request, first_refusal: this.first_refusal, refusal: this.refusal,
      first_time: this.first_time, last_time: this.last_time,
      statuses: this.statuses, errors: this.errors,
    };
  }
}
