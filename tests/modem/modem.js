#!/usr/bin/env node
'use strict';
// A modem for the tests: AT commands on standard input, answers on standard output, real TCP and TLS connections behind them.
// What it does goes to standard error, a line each.
//
//     modem.js esp_at|sim800|quectel [--ca FILE] [--no-echo] [--chunk N] [--clock UNIX-TIME]
//
// Its commands are written by themselves, apart from the port's tables. TLS is verified against the CA file when the program
// asks for it by the commands of its family, and refused when it does not ask.

const fs = require('fs');
const net = require('net');
const tls = require('tls');

const [family, ...options] = process.argv.slice(2);
const option = (name, otherwise) => (options.includes(name) ? options[options.indexOf(name) + 1] : otherwise);
const ca = option('--ca') && fs.readFileSync(option('--ca'));
const chunk = Number(option('--chunk', 4096)); // bytes of an answer that are written at a time
const clock = option('--clock') && Number(option('--clock')) - Date.now() / 1000;

let echo = !options.includes('--no-echo');
let socket = null;
let received = Buffer.alloc(0);
let told = false; // of bytes that wait
const settings = { verify: false, sni: undefined, name: undefined };

const log = (text) => process.stderr.write(`modem: ${text}\n`);
const seconds = () => Math.floor(Date.now() / 1000 + (clock ?? 0));

function say(bytes) {
  const all = Buffer.from(bytes);
  for (let at = 0; at < all.length; at += chunk) process.stdout.write(all.subarray(at, at + chunk));
}
const line = (text) => say(`\r\n${text}\r\n`);

// ---- The connection

function connect(kind, host, port, opened, failed) {
  let decided = false;
  hangUp();
  received = Buffer.alloc(0);
  told = false;
  if (kind === 'TLS' && !settings.verify) {
    log('TLS without verification was asked for: refused');
    return failed();
  }
  const made = kind === 'TLS'
    ? tls.connect({ host, port, ca, servername: settings.sni ?? host, checkServerIdentity: (ignored, certificate) => tls.checkServerIdentity(settings.name ?? host, certificate) })
    : net.connect({ host, port });
  socket = made;
  made.setNoDelay(true);
  made.on(kind === 'TLS' ? 'secureConnect' : 'connect', () => {
    decided = true;
    log(`${kind} to ${host}:${port}${kind === 'TLS' ? ` verified, ${made.getProtocol()}` : ''}`);
    opened();
  });
  made.on('data', (bytes) => {
    if (socket !== made) return;
    received = Buffer.concat([received, bytes]);
    if (!told) { told = true; speech.waiting(); }
  });
  made.on('error', (error) => {
    log(`${error.code ?? ''} ${error.message}`);
    if (!decided) { decided = true; failed(); }
  });
  made.on('close', () => {
    if (socket !== made) return;
    socket = null;
    if (decided) { log('closed by the peer'); speech.closed(); }
  });
}

function hangUp() {
  const old = socket;
  socket = null;
  if (old) old.end();
  return old !== null;
}

function take(most) {
  const part = received.subarray(0, most);
  received = received.subarray(part.length);
  if (received.length === 0) told = false;
  return part;
}

// ---- What each family says

const twoDigits = (n) => String(n).padStart(2, '0');
function cclk() { // local time, two hours ahead
  const at = new Date((seconds() + 7200) * 1000);
  return `+CCLK: "${[at.getUTCFullYear() % 100, at.getUTCMonth() + 1, at.getUTCDate()].map(twoDigits).join('/')},${[at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(twoDigits).join(':')}+08"`;
}

const ok = () => line('OK');
const send = (prompt, done) => ([count]) => {
  if (!socket) return line('ERROR');
  say(prompt);
  collect(Number(count), (bytes) => {
    if (!socket) return line('ERROR');
    socket.write(bytes);
    done(bytes);
  });
};

const FAMILIES = {
  esp_at: {
    waiting: () => line(`+IPD,${received.length}`),
    closed: () => line('CLOSED'),
    commands: [
      [/^AT\+CWMODE=1$/, ok],
      [/^AT\+CWJAP="/, () => { say('WIFI CONNECTED\r\nWIFI GOT IP\r\n'); ok(); }],
      [/^AT\+CIPMUX=0$/, ok],
      [/^AT\+CIPRECVMODE=1$/, ok],
      [/^AT\+CIPSSLCCONF=(\d),0,0$/, ([mode]) => { settings.verify = mode === '2'; ok(); }],
      [/^AT\+CIPSSLCSNI="(.+)"$/, ([name]) => { settings.sni = name; ok(); }],
      [/^AT\+CIPSSLCCN="(.+)"$/, ([name]) => { settings.name = name; ok(); }],
      [/^AT\+SYSTIMESTAMP\?$/, () => { line(`+SYSTIMESTAMP:${seconds()}`); ok(); }],
      [/^AT\+CIPSTART="(TCP|SSL)","(.+)",(\d+)$/, ([kind, host, port]) => connect(kind === 'SSL' ? 'TLS' : kind, host, Number(port), () => { say('CONNECT\r\n'); ok(); }, () => { say('CLOSED\r\n'); line('ERROR'); })],
      [/^AT\+CIPSEND=(\d+)$/, send('\r\nOK\r\n\r\n>', (bytes) => { line(`Recv ${bytes.length} bytes`); line('SEND OK'); })],
      [/^AT\+CIPRECVDATA=(\d+)$/, ([most]) => {
        const part = take(Number(most));
        if (part.length === 0) return line('ERROR');
        say(Buffer.concat([Buffer.from(`+CIPRECVDATA:${part.length},`), part]));
        return ok();
      }],
      [/^AT\+CIPCLOSE$/, () => { if (!hangUp()) return line('ERROR'); say('CLOSED\r\n'); return ok(); }],
    ],
  },
  sim800: {
    waiting: () => line('+CIPRXGET: 1'),
    closed: () => line('CLOSED'),
    commands: [
      [/^AT\+CIPSHUT$/, () => { hangUp(); line('SHUT OK'); }],
      [/^AT\+CIPMUX=0$/, ok],
      [/^AT\+CIPQSEND=1$/, ok],
      [/^AT\+CIPRXGET=1$/, ok],
      [/^AT\+CSTT=/, ok],
      [/^AT\+CIICR$/, ok],
      [/^AT\+CIFSR$/, () => line('10.64.3.7')],
      [/^AT\+CCLK\?$/, () => { line(cclk()); ok(); }],
      [/^AT\+CIPSTART="TCP","(.+)",(\d+)$/, ([host, port]) => { ok(); connect('TCP', host, Number(port), () => line('CONNECT OK'), () => line('CONNECT FAIL')); }],
      [/^AT\+CIPSEND=(\d+)$/, send('\r\n> ', (bytes) => line(`DATA ACCEPT:${bytes.length}`))],
      [/^AT\+CIPRXGET=2,(\d+)$/, ([most]) => {
        const part = take(Number(most));
        say(Buffer.concat([Buffer.from(`\r\n+CIPRXGET: 2,${part.length},${received.length}\r\n`), part]));
        ok();
      }],
      [/^AT\+CIPCLOSE=1$/, () => line(hangUp() ? 'CLOSE OK' : 'ERROR')],
    ],
  },
  quectel: {
    waiting: () => line(`+${settings.family}URC: "recv",0`),
    closed: () => line(`+${settings.family}URC: "closed",0`),
    commands: [
      [/^AT\+QSSLCFG="(.+)",1,"?(.+?)"?$/, ([name, value]) => { if (name === 'seclevel') settings.verify = Number(value) > 0; ok(); }],
      [/^AT\+CCLK\?$/, () => { line(cclk()); ok(); }],
      [/^AT\+(QI|QSSL)OPEN=(?:1,0,"TCP"|1,1,0),"(.+)",(\d+),0(?:,0)?$/, ([which, host, port]) => {
        settings.family = which;
        ok();
        connect(which === 'QI' ? 'TCP' : 'TLS', host, Number(port), () => line(`+${which}OPEN: 0,0`), () => line(`+${which}OPEN: 0,566`));
      }],
      [/^AT\+(?:QISEND|QSSLSEND)=0,(\d+)$/, send('\r\n> ', () => line('SEND OK'))],
      [/^AT\+(QIRD|QSSLRECV)=0,(\d+)$/, ([verb, most]) => {
        const part = take(Number(most));
        say(Buffer.concat([Buffer.from(`\r\n+${verb}: ${part.length}\r\n`), part]));
        ok();
      }],
      [/^AT\+(?:QICLOSE|QSSLCLOSE)=0$/, () => { hangUp(); ok(); }],
    ],
  },
};

const speech = FAMILIES[family];
if (!speech) { log('which family?'); process.exit(2); }
if (family === 'quectel') settings.family = 'QI';

// ---- The serial line

let typed = '';
let wanted = 0;
let data = [];
let given = null;

function collect(count, done) {
  wanted = count;
  data = [];
  given = done;
}

function command(text) {
  log(`< ${text}`);
  if (text === 'AT') return ok();
  if (/^ATE[01]$/.test(text)) { echo = text === 'ATE1'; return ok(); }
  for (const [form, answer] of speech.commands) {
    const found = form.exec(text);
    if (found) return answer(found.slice(1));
  }
  log(`unknown: ${text}`);
  return line('ERROR');
}

process.stdin.on('data', (bytes) => {
  for (const byte of bytes) {
    if (wanted > 0) {
      data.push(byte);
      wanted -= 1;
      if (wanted === 0) given(Buffer.from(data));
      continue;
    }
    if (echo) say([byte]);
    if (byte === 13) {
      const text = typed.trim();
      typed = '';
      if (text !== '') command(text);
    } else typed += String.fromCharCode(byte);
  }
});
process.stdin.on('end', () => { hangUp(); process.exit(0); });
