// Sends creates twice with the same Idempotency-Key to the server at process.argv[2]; prints what came back as JSON.
import { randomUUID } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";
import { Client as ProtocolClient, ProtocolWebSocketTransportAdapter } from "langgraph-sdk-1";

function clientWithKey(name) {
  const defaultHeaders = { "Idempotency-Key": `${name} ${process.argv[3]}` };
  return new Client({ apiUrl: process.argv[2], defaultHeaders, callerOptions: { maxRetries: 0 } });
}

const input = { topic: "S" };
const [threads, creating, waiting] = ["thread", "create", "wait"].map(clientWithKey);
const { thread_id: threadId } = await threads.threads.create();
const first = await creating.runs.create(threadId, "sequence", { input });
const second = await creating.runs.create(threadId, "sequence", { input });
const waited = await waiting.runs.wait(null, "sequence", { input });
const waitedAgain = await waiting.runs.wait(null, "sequence", { input });

class SocketWithKey extends ProtocolWebSocketTransportAdapter {
  send(command) {
    return super.send({ ...command, idempotency_key: `socket ${process.argv[3]}` });
  }
}

async function startedByCommand(socketThreadId, startingCommandId) {
  const transport = new SocketWithKey({ apiUrl: process.argv[2], threadId: socketThreadId });
  const { threads } = new ProtocolClient({ apiUrl: process.argv[2] });
  const stream = threads.stream(socketThreadId, { assistantId: "sequence", transport, startingCommandId });
  const { run_id: runId } = await stream.run.start({ input });
  const output = await stream.output;
  await stream.close();
  return { runId, output };
}

const socketThreadId = randomUUID();
const started = await startedByCommand(socketThreadId, 1);
const startedAgain = await startedByCommand(socketThreadId, 50);

console.log(JSON.stringify({ first, second, waited, waitedAgain, started, startedAgain }));
