// A client of an execution server in JavaScript. What it needs: npm install zeromq@6 @msgpack/msgpack@3
//   node client.mjs ping | run '{"frames": 8}' | follow ID | cancel ID     (--port P and --app NAME name a server)
import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { decode, encode } from "@msgpack/msgpack";
import { Request, Subscriber } from "zeromq";

const hasEnded = ({ status, resumable }) =>
  ["complete", "failed", "cancelled"].includes(status) || (status === "interrupted" && !resumable);

export class ExecutionClient {
  // address: gives the URL of a port; options: of the sockets, such as the keys of CURVE
  constructor({ port = 7777, app = "zmqruntime", address, options = {} } = {}) {
    this.port = Number(port);
    this.address = address ?? ((number) => `ipc://${homedir()}/.${app}/ipc/zmq-${number}.sock`);
    this.options = { linger: 0, receiveTimeout: 10_000, ...options };
  }
  async request(message) {
    const socket = new Request({ sendTimeout: 10_000, ...this.options }); // one each: no late reply for the next
    try {
      socket.connect(this.address(this.port + 1000));
      await socket.send(encode({ protocol: 1, ...message }));
      const reply = decode((await this.receive(socket, this.port + 1000))[0]);
      if (reply.type === "error") throw new Error(`${reply.code}: ${reply.message}`);
      return reply;
    } finally { socket.close(); }
  }
  async receive(socket, port) {
    const none = (error) => { throw error.code === "EAGAIN" ? new Error(`no server answers on ${this.address(port)}`) : error; };
    return socket.receive().catch(none);
  }
  ping() { return this.request({ type: "ping" }); }
  cancel(id, limits = {}) { return this.request({ type: "cancel", execution_id: id, ...limits }); }
  async submit(payload, limits = {}) {
    const id = randomUUID().replaceAll("-", "");
    return (await this.request({ type: "execute", submission_id: id, payload, ...limits })).execution_id;
  }
  // The events after number `seen`, past and live, each once and in order, up to the last one.
  async *follow(id, seen = 0) {
    const socket = new Subscriber(this.options);
    const latest = {}; // the sequence of the last event of each type
    let known = Infinity; // so many events exist; to begin with, ask
    try {
      socket.connect(this.address(this.port));
      socket.subscribe(id, "heartbeat");
      while (true) {
        let batches = [];
        if (seen < known) {
          ({ batches, upto: known } = await this.request({ type: "events", execution_id: id, after: seen }));
          if (batches.length === 0) seen = known;
        } else {
          const message = decode((await this.receive(socket, this.port))[1]); // a heartbeat at least
          known = Math.max(known, message.upto ?? message.positions?.[id] ?? 0);
          if (message.events && message.after <= seen) batches = [message]; // else some are missing: ask
        }
        for (const { after, upto, events } of batches.filter((batch) => batch.upto > seen)) {
          const old = events.length === upto - after ? seen - after : 0; // if fewer, some were merged: see `latest`
          seen = upto;
          for (const event of events.slice(old)) {
            if (event.sequence <= (latest[event.type] ?? 0)) continue;
            latest[event.type] = event.sequence;
            yield event;
            if (event.type === "state" && hasEnded(event.execution)) return;
          }
        }
      }
    } finally { socket.close(); }
  }
}

const USAGE = "node client.mjs ping | run JSON | follow ID | cancel ID     [--port P] [--app NAME]";

async function main() {
  const options = { port: { type: "string" }, app: { type: "string" } };
  const { values, positionals: [command, argument] } = parseArgs({ options, allowPositionals: true });
  if (command !== "ping" && !(["run", "follow", "cancel"].includes(command) && argument)) throw new Error(`usage: ${USAGE}`);
  const client = new ExecutionClient(values);
  if (command === "ping" || command === "cancel") return console.log(JSON.stringify(await client[command](argument)));
  const id = command === "run" ? await client.submit(JSON.parse(argument)) : argument;
  for await (const event of client.follow(id)) console.log(JSON.stringify(event));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main().catch((error) => { console.error(`error: ${error.message}`); process.exitCode = 1; });
}
