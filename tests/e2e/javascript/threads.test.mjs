// Threads and their state with the official JavaScript client: created with a history, changed, forked, copied, found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "@langchain/langgraph-sdk";

const { threads, runs } = new Client({ apiUrl: process.env.SUPERSTEP_URL, callerOptions: { maxRetries: 0 } });
const steps = [
  { updates: [{ values: { topic: "J" }, asNode: "__start__" }] },
  { updates: [{ values: { messages: ["planner:J"] }, asNode: "planner" }] },
];

test("a thread is created with its history, copied, and goes on", async () => {
  const thread = await threads.create({ graphId: "sequence", supersteps: steps });
  assert.deepEqual(thread.values, { topic: "J", messages: ["planner:J"] });
  const copy = await threads.copy(thread.thread_id);
  const values = await runs.wait(copy.thread_id, "sequence", { input: null });
  assert.deepEqual(values.messages, ["planner:J", "researcher:J", "writer:J", "editor:J"]);
  assert.deepEqual((await threads.getState(thread.thread_id)).next, ["researcher"]);
});

test("a state is changed, and forked at every spelling of a checkpoint", async () => {
  const { thread_id: id } = await threads.create();
  await runs.wait(id, "sequence", { input: { topic: "J" } });
  const history = await threads.getHistory(id, { limit: 100 });
  const earlier = history.find((state) => state.next[0] === "writer");
  for (const at of [{ checkpoint: earlier.checkpoint }, { checkpointId: earlier.checkpoint.checkpoint_id }]) {
    const made = await threads.updateState(id, { values: { topic: "FORK" }, ...at });
    const state = await threads.getState(id);
    assert.equal(state.checkpoint.checkpoint_id, made.configurable.checkpoint_id);
    assert.equal(state.parent_checkpoint.checkpoint_id, earlier.checkpoint.checkpoint_id);
    assert.deepEqual(state.values, { topic: "FORK", messages: ["planner:J", "researcher:J"] });
  }
  const values = await runs.wait(id, "sequence", { input: null });
  assert.deepEqual(values.messages.slice(2), ["writer:FORK", "editor:FORK"]);
  const before = { configurable: { thread_id: id, checkpoint_id: earlier.checkpoint.checkpoint_id, checkpoint_ns: "" } };
  assert.deepEqual(await threads.getHistory(id, { limit: 1, before }), [history[history.indexOf(earlier) + 1]]);
  assert.equal((await threads.getHistory(id, { limit: 9, metadata: { source: "update" } })).length, 2);
  assert.deepEqual(await threads.getState(id, earlier.checkpoint), earlier);
});

test("a busy thread is a conflict, and so is a node that does not exist a bad request", async () => {
  const { thread_id: id } = await threads.create({ graphId: "sequence" });
  await assert.rejects(threads.updateState(id, { values: {}, asNode: "bogus" }), { status: 400 });
  await runs.create(id, "sequence", { input: { topic: "J" }, afterSeconds: 3600 });
  await assert.rejects(threads.updateState(id, { values: {}, asNode: "planner" }), { status: 409 });
});

test("threads are found and counted by what is in their metadata", async () => {
  const metadata = { mark: crypto.randomUUID(), deep: { a: [1] } };
  const { thread_id: id } = await threads.create({ metadata, ttl: 60 });
  assert.deepEqual((await threads.update(id, { metadata: { more: 1 } })).metadata, { ...metadata, more: 1 });
  const wanted = { metadata: { mark: metadata.mark, deep: { a: [1] } } };
  const [found] = await threads.search({ ...wanted, sortBy: "created_at" });
  assert.equal(found.thread_id, id);
  assert.equal(await threads.count(wanted), 1);
  await threads.delete(id);
  assert.equal(await threads.count(wanted), 0);
});
