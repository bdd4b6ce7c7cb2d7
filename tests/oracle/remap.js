'use strict';
// Loaded before Microsoft's SDKs (node -r): their ports are fixed (8883, 443, 5671), the local hub's is not.
// Connections to "localhost" on one of them go to ORACLE_PORT; the SDKs run as they are.

const net = require('net');

const FIXED = [8883, 443, 5671];
const { connect } = net.Socket.prototype;

net.Socket.prototype.connect = function remapped(...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (options && FIXED.includes(Number(options.port)) && options.host === 'localhost') Object.assign(options, { port: Number(process.env.ORACLE_PORT), host: '127.0.0.1' });
  return connect.apply(this, args);
};
