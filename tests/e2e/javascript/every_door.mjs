// Takes every door of the server at process.argv[2] with the official JavaScript client; prints what it got as JSON.
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.argv[2], callerOptions: { maxRetries: 0 } });
const input = { topic: "J" };

async function collect(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

async function failureOf(promise) {
  try {
    return { returned: await promise };
  } catch (error) {
    return { message: error.message, status: error.status ?? null };
  }
}

const { thread_id: threadId } = await client.threads.create({ metadata: { from: "javascript" } });
const run = await client.runs.create(threadId, "sequence", { input });
const joined = await client.runs.join(threadId, run.run_id);
const found = await client.runs.get(threadId, run.run_id);
const waited = await client.runs.wait(threadId, "sequence", { input });

let announced;
const streamed = await collect(
  client.runs.stream(threadId, "sequence", {
    input,
    streamMode: ["values", "updates"],
    onRunCreated: (created) => { announced = created; },
  }),
);
const resumed = await collect(
  client.runs.joinStream(threadId, announced.run_id, { lastEventId: streamed[3].id, streamMode: ["values", "updates"] }),
);

const { thread_id: approvalThread } = await client.threads.create();
const asked = await client.runs.wait(approvalThread, "approval", { input: { draft: "d" } });
const answered = await client.runs.wait(approvalThread, "approval", { command: { resume: "yes" } });

const subgraphs = await collect(
  client.runs.stream(null, "nested", { input: { trail: [] }, streamMode: "updates", streamSubgraphs: true }),
);

console.log(JSON.stringify({
  run, joined, found, waited, announced, streamed, resumed, asked, answered, subgraphs,
  listed: await client.runs.list(threadId, { limit: 2 }),
  state: await client.threads.getState(threadId),
  history: await client.threads.getHistory(threadId, { limit: 3 }),
  assistants: await client.assistants.search({ limit: 100 }),
  stateless: await client.runs.wait(null, "sequence", { input }),
  failed: await failureOf(client.runs.wait(threadId, "failing", { input: { log: [] } })),
  missing: await failureOf(client.threads.get("00000000-0000-7000-8000-000000000000")),
  unknown: await failureOf(client.runs.create(threadId, "nobody", { input })),
}));
