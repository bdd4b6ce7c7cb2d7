'use strict';
// The local hub as a child process, and its events as promises.

const path = require('path');
const readline = require('readline');
const { spawn } = require('child_process');

const EMULATOR = path.join(__dirname, '..', '..', 'tools', 'emulator', 'main.js');
const PATIENCE_MS = 10000;

class LocalHub {
  constructor(args) {
    this.events = [];
    this.waiters = new Set();
    this.child = spawn(process.execPath, [EMULATOR, '--port', '0', '--json', '--packets', '--control', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.exited = new Promise((resolve) => { this.child.on('exit', resolve); });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.take(JSON.parse(line)));
  }

  take(event) {
    this.events.push(event);
    for (const waiter of [...this.waiters]) waiter();
  }

  // The first event from position `since` on that has these fields.
  async waitFor(fields, since = 0) {
    const matches = (event) => Object.entries(fields).every(([name, value]) => event[name] === value);
    const find = () => this.events.slice(since).find(matches);
    return new Promise((resolve, reject) => {
      const check = () => {
        const event = find();
        if (event) finish(() => resolve(event));
      };
      const timer = setTimeout(() => finish(() => reject(new Error(`the hub reported no ${JSON.stringify(fields)}`))), PATIENCE_MS);
      const finish = (settle) => { clearTimeout(timer); this.waiters.delete(check); settle(); };
      this.waiters.add(check);
      check();
    });
  }

  // Answers the event "ok"; throws for "error". One command at a time.
  async command(line) {
    const since = this.events.length;
    const said = this.events.length;
    this.child.stdin.write(`${line}\n`);
    const shown = line.trim().slice(0, 200);
    const isAnswer = ({ event, command }) => (event === 'ok' || event === 'error') && command.startsWith(shown);
    const answer = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the hub did not answer "${shown}"`)), PATIENCE_MS);
      const check = () => {
        const found = this.events.slice(said).find(isAnswer);
        if (!found) return;
        clearTimeout(timer);
        this.waiters.delete(check);
        resolve(found);
      };
      this.waiters.add(check);
      check();
    });
    if (answer.event === 'error') throw new Error(`${line}: ${answer.reason}`);
    return { ...answer, since };
  }

  // Everything that the hub has reported so far is in `events` afterwards: its answer comes behind it.
  async settle() { await this.command('faults'); }

  async stop() {
    this.child.stdin.end();
    return this.exited;
  }
}

module.exports = { LocalHub, EMULATOR };
