'use strict';
// Where the hubs that run on this machine leave word of themselves, one file per port, for their owner only:
// so that "main.js telemetry" finds them without options.

const fs = require('fs');
const os = require('os');
const path = require('path');

const directory = () => path.join(os.tmpdir(), `iothub-emulator-of-${os.userInfo().username}`);
const fileOf = (port) => path.join(directory(), `${port}.json`);

// A directory that somebody else put there is not used.
function isOurs(file) {
  const found = fs.lstatSync(file, { throwIfNoEntry: false });
  return found !== undefined && !found.isSymbolicLink() && (process.getuid === undefined || found.uid === process.getuid());
}

// A hub that was killed leaves its file behind.
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// What each hub wrote; a file that is being written or removed just now is passed over.
function allWords() {
  const names = isOurs(directory()) ? fs.readdirSync(directory()).filter((name) => /^\d+\.json$/.test(name)) : [];
  return names.flatMap((name) => {
    try {
      return [JSON.parse(fs.readFileSync(path.join(directory(), name), 'utf8'))];
    } catch (error) {
      return [];
    }
  });
}

const anyAddress = (address) => ({ '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address);

// From the event "ready". The file goes away with the process.
function leaveWord({ port, address, ca, service }) {
  fs.mkdirSync(directory(), { recursive: true, mode: 0o700 });
  if (!isOurs(directory())) return;
  for (const { pid, port: other } of allWords()) if (!isAlive(pid)) fs.rmSync(fileOf(other), { force: true });
  const file = fileOf(port);
  fs.rmSync(file, { force: true });
  fs.writeFileSync(file, JSON.stringify({ port, address: anyAddress(address), ca, service, pid: process.pid }), { mode: 0o600, flag: 'wx' });
  process.on('exit', () => fs.rmSync(file, { force: true }));
}

// The hub on `port`; without one, the only hub that runs. Throws a RangeError.
function findHub(port) {
  const words = allWords().filter(({ pid }) => isAlive(pid));
  const wanted = port === undefined ? words : words.filter((word) => word.port === port);
  if (wanted.length === 0) throw new RangeError(port === undefined ? 'no hub runs here; start one with: node main.js' : `no hub runs on port ${port}`);
  if (wanted.length > 1) throw new RangeError(`several hubs run here (ports ${wanted.map((word) => word.port).join(', ')}); say which with --port N`);
  return wanted[0];
}

module.exports = { leaveWord, findHub };
