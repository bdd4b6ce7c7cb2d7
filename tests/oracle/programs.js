'use strict';
// Child processes that answer in lines: the device programs, and Microsoft's service client.

const path = require('path');
const readline = require('readline');
const { spawn } = require('child_process');
const { readLine, writeLine } = require('./lines');

const PATIENCE_MS = 10000;

class Unsupported extends Error {}

// Lines as they come; what is asked for is awaited.
class Child {
  constructor(command, environment) {
    this.child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
    this.count = 0;
    this.found = []; // parsed lines
    this.waiters = new Set();
    this.exited = new Promise((resolve) => { this.child.on('exit', (code) => { this.gone = true; this.poke(); resolve(code); }); });
    this.child.on('error', (error) => { this.gone = true; this.text = error.message; this.poke(); });
    this.child.stdin.on('error', () => {});
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => { this.found.push(this.parse(line)); this.poke(); });
  }

  poke() { for (const waiter of [...this.waiters]) waiter(); }

  // The first line that `matches`, from position `since` on.
  wait(matches, what, since = 0, patience = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => { clearTimeout(timer); this.waiters.delete(check); settle(value); };
      const check = () => {
        const line = this.found.slice(since).find(matches);
        if (line) finish(resolve, line);
        else if (this.gone) finish(reject, new Error(`the program ended before ${what}${this.text ? ` (${this.text})` : ''}`));
      };
      const timer = setTimeout(() => finish(reject, new Error(`no ${what}`)), patience);
      this.waiters.add(check);
      check();
    });
  }

  async end() {
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    await this.exited;
    clearTimeout(timer);
  }
}

// A device program: README.md has the protocol. One number of a message or call is given to each event.
class Device extends Child {
  parse(line) { return readLine(line); }

  // Resolves with the fields of "done"; throws Unsupported, or an Error with `why`.
  async ask(verb, fields = {}, patience = PATIENCE_MS) {
    this.count += 1;
    const n = String(this.count);
    this.child.stdin.write(`${writeLine(verb, { n, ...fields })}\n`);
    const answer = await this.wait((line) => line.n === n, `answer to ${verb}`, 0, patience);
    if (answer.verb === 'unsupported') throw new Unsupported(verb);
    if (answer.verb === 'done') return answer;
    throw Object.assign(new Error(`${verb}: ${answer.why ?? '?'} ${answer.text ?? ''}`), { why: answer.why });
  }

  // The next event of this kind that no one took yet.
  async next(verb) {
    const event = await this.wait((line) => line.verb === verb && !line.taken, verb);
    event.taken = true;
    return event;
  }

  has(verb) { return this.found.some((line) => line.verb === verb && !line.taken); }
}

class Service extends Child {
  parse(line) { return JSON.parse(line); }

  async call(name, ...args) {
    this.count += 1;
    const n = this.count;
    this.child.stdin.write(`${JSON.stringify({ n, call: name, args })}\n`);
    const { result, error } = await this.wait((line) => line.n === n, `answer to ${name}`);
    if (error) throw Object.assign(new Error(error.message), { name: error.name });
    return result;
  }

  // The feedback for a message.
  async feedbackFor(messageId) {
    const of = ({ feedback }) => feedback?.find(({ originalMessageId }) => originalMessageId === messageId);
    return of(await this.wait(of, `feedback for ${messageId}`));
  }
}

const REMAP = ['-r', path.join(__dirname, 'remap.js')];

const microsoftDevice = () => new Device([process.execPath, ...REMAP, path.join(__dirname, 'microsoft_device.js')]);

const ourDevice = (program) => new Device([program]);

// azure-iothub takes its trust from the environment only.
const microsoftService = ({ port, ca, connection, transport }) => new Service(
  [process.execPath, ...REMAP, path.join(__dirname, 'microsoft_service.js'), connection, transport],
  { ORACLE_PORT: String(port), NODE_EXTRA_CA_CERTS: ca },
);

module.exports = { microsoftDevice, ourDevice, microsoftService, Unsupported };
