'use strict';
/* A WebSocket server on the well-kept package `ws`: the other end of the filter's tests. It checks what RFC 6455 asks of a client
   (masks, lengths, the handshake) because ws does, sends messages back, and does what the test says by messages that start with '!'.

       node websocket_peer.js [CERTIFICATE KEY CHAIN]     plain TCP, or TLS

   It prints a line for each thing that happens. */
const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');
const { WebSocketServer } = require(path.join(__dirname, '../../tools/emulator/node_modules/ws'));

const [certificate, key, chain] = process.argv.slice(2);
const server = certificate === undefined
    ? http.createServer()
    : https.createServer({ cert: [certificate, chain].map((name) => fs.readFileSync(name)).join('\n'), key: fs.readFileSync(key) });
const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 1 << 20,
    handleProtocols: (offered) => ['mqtt', 'AMQPWSB10'].find((name) => offered.has(name)) || false,
});

function say(text) {
    process.stdout.write(text + '\n');
}

/* The bytes back in fragments of growing size, with pings between them and an empty one at the end. */
function fragments(socket, bytes) {
    for (let at = 0, size = 1; at < bytes.length; at += size, size += 1) {
        socket.send(bytes.subarray(at, at + size), { binary: true, fin: false });
        socket.ping(Buffer.from('ping at ' + at));
    }
    socket.send(Buffer.alloc(0), { binary: true, fin: true });
}

const orders = {
    fragments: (socket, rest) => fragments(socket, Buffer.from(rest)),
    ping: (socket, rest) => socket.ping(Buffer.from(rest)),
    large: (socket, rest) => socket.send(Buffer.alloc(Number(rest), 'z')),
    text: (socket, rest) => socket.send(rest, { binary: false }),
    close: (socket, rest) => socket.close(Number(rest), 'as the test wants'),
    terminate: (socket) => socket.terminate(),
};

sockets.on('connection', (socket, request) => {
    say(`OPEN ${request.url} ${request.headers.host} ${socket.protocol}`);
    socket.on('message', (bytes, binary) => {
        const order = /^!(\w+) ?([^]*)$/.exec(bytes.toString('latin1'));
        say(`MESSAGE ${bytes.length} ${binary ? 'binary' : 'text'}`);
        if (order !== null) {
            orders[order[1]](socket, order[2]);
        } else {
            socket.send(bytes);
        }
    });
    socket.on('pong', (bytes) => say(`PONG ${bytes.toString('latin1')}`));
    socket.on('error', (error) => say(`ERROR ${error.message}`));
    socket.on('close', (code) => say(`CLOSE ${code}`));
});

server.on('upgrade', (request, stream, head) => {
    stream.on('error', (error) => say(`STREAM ${error.code}`));
    if (!request.url.startsWith('/$iothub/websocket')) {
        stream.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    } else if (request.headers.host.startsWith('refused.localhost')) {
        stream.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n');
    } else {
        sockets.handleUpgrade(request, stream, head, (socket) => sockets.emit('connection', socket, request));
    }
});
server.listen(0, '127.0.0.1', () => say(`LISTENING ${server.address().port}`));
