// Sends creates twice with the same Idempotency-Key to the server at process.argv[2]; prints what came back as JSON.
import { Client } from "@langchain/langgraph-sdk";

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

console.log(JSON.stringify({ first, second, waited, waitedAgain }));
