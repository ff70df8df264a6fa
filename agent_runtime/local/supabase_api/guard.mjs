// Loaded into the Supabase API's process before the API itself (node --import). Three things it keeps from its clients:
//
// - Its first request after each start runs the blanket grants, which Postgres refuses: the caller, whoever it is, would
//   be told "permission denied". Requests wait here until one of ours (see `api.py`) was answered well.
// - Its driver (postgres 3.4.9) cannot be trusted with a connection that was cut: a later request gets the dead one and is
//   never answered, is answered with the error of another, or ends the process by an exception. So the process ends at
//   once, whenever a connection to the database ends that it did not end itself, and its supervisor starts it anew.
// - Asked to end, it would wait for every connection of every client. It ends when nobody waits for an answer.

import http from 'node:http';
import net from 'node:net';

const DATABASE_PORT = Number(process.env.GUARD_DATABASE_PORT);
const PROBE = 'x-guard-probe';
const LAST_PROBE = 'last';
const LAST_ANSWERS_MS = 2_000;

// -- requests wait until the API is ready ------------------------------------------------------------------------------

let isReady = false;
let isStopping = false;
let underWay = 0;
const waiting = [];

const emit = http.Server.prototype.emit;

http.Server.prototype.emit = function (event, ...rest) {
  if (event !== 'request') return emit.call(this, event, ...rest);
  const [request, response] = rest;
  const probe = request.headers[PROBE];
  const goOn = () => {
    underWay += 1;
    response.once('close', answered);
    emit.call(this, event, ...rest);
  };
  if (probe === LAST_PROBE) response.once('finish', () => response.statusCode === 200 && open());
  if (isReady || probe) goOn();
  else waiting.push(goOn);
  return true;
};

function open() {
  isReady = true;
  for (const goOn of waiting.splice(0)) goOn();
}

// -- it ends with what it needs, and when it is asked ------------------------------------------------------------------

const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...to) {
  if (portOf(to) === DATABASE_PORT) {
    // First in line, before the driver sees it: what it would answer now may be wrong.
    this.prependOnceListener('error', (error) => lost(this, error.message));
    this.prependOnceListener('end', () => lost(this, 'Postgres closed it'));
  }
  return connect.apply(this, to);
};

// The driver calls connect(port, host); Node's own functions call it with an array of options.
function portOf([first]) {
  const options = Array.isArray(first) ? first[0] : first;
  return Number(options?.port ?? options);
}

function lost(socket, reason) {
  if (socket.writableEnded || isStopping) return;
  process.stderr.write(`ERROR: a connection to the database is lost (${reason}): the API ends, to be started anew\n`);
  process.exit(1);
}

process.on('SIGTERM', () => {
  isStopping = true;
  if (underWay === 0) process.exit(0);
  setTimeout(() => process.exit(0), LAST_ANSWERS_MS);
});

function answered() {
  underWay -= 1;
  if (isStopping && underWay === 0) process.exit(0);
}
