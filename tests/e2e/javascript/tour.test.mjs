// The official JavaScript client asks for every operation that it has a method for, resource by resource.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { collect, tour } from "./touring.mjs";

const input = { topic: "tour" };

tour("assistants", async ({ assistants }) => {
  const { assistant_id: made } = await assistants.create({ graphId: "nested", name: "Tour", metadata: { tour: 11 } });
  assert.equal((await assistants.update(made, { description: "changed" })).version, 2);
  assert.deepEqual((await assistants.search({ metadata: { tour: 11 }, limit: 1 })).map((one) => one.assistant_id), [made]);
  assert.ok((await assistants.count({ metadata: { tour: 11 } })) >= 1);
  assert.equal((await assistants.get(made)).description, "changed");
  assert.ok((await assistants.getGraph(made, { xray: true })).nodes.length > 0);
  assert.equal((await assistants.getSchemas(made)).graph_id, "nested");
  assert.deepEqual(Object.keys(await assistants.getSubgraphs(made)), ["child"]);
  assert.deepEqual(Object.keys(await assistants.getSubgraphs(made, { namespace: "child", recurse: true })), ["child"]);
  assert.deepEqual((await assistants.getVersions(made)).map((one) => one.version), [2, 1]);
  assert.equal((await assistants.setLatest(made, 1)).description, null);
  await assistants.delete(made);
});

tour("threads", async ({ threads }) => {
  const { thread_id: made } = await threads.create({ metadata: { tour: 12 } });
  assert.equal((await threads.get(made)).status, "idle");
  assert.deepEqual((await threads.update(made, { metadata: { more: 1 } })).metadata, { tour: 12, more: 1 });
  assert.deepEqual((await threads.search({ ids: [made] })).map((one) => one.thread_id), [made]);
  assert.ok((await threads.count({ metadata: { tour: 12, more: 1 } })) >= 1);
  const { thread_id: copied } = await threads.copy(made);
  assert.deepEqual(await threads.prune([copied]), { pruned_count: 1 });
  await threads.delete(made);
});

tour("state", async ({ threads, runs }) => {
  const { thread_id: made } = await threads.create({ graphId: "sequence" });
  await runs.wait(made, "sequence", { input });
  const state = await threads.getState(made);
  assert.deepEqual((await threads.getState(made, state.checkpoint.checkpoint_id)).values, state.values);
  assert.deepEqual((await threads.getState(made, state.checkpoint)).values, state.values);
  assert.equal((await threads.getHistory(made, { limit: 3, before: state.checkpoint })).length, 3);
  await assert.rejects(threads.patchState(made, {}), { status: 405 });
  await threads.updateState(made, { values: { topic: "changed" } });
  assert.equal((await threads.getState(made)).values.topic, "changed");
});

tour("streams", async ({ threads, runs }) => {
  const { thread_id: made } = await threads.create();
  const ran = await collect(runs.stream(made, "sequence", { input, streamResumable: true }));
  const replayed = [];
  const leaving = new AbortController();
  for await (const part of threads.joinStream(made, { lastEventId: "-", signal: leaving.signal })) {
    if (part.data.status === "run_done") break;
    replayed.push(part.data);
  }
  leaving.abort(); // the client goes on reading a stream that nobody listens to
  assert.deepEqual(replayed, ran.map((part) => part.data));
});

tour("runs", async ({ threads, runs }) => {
  const { thread_id: made } = await threads.create();
  const { run_id: run } = await runs.create(made, "sequence", { input });
  assert.ok((await runs.join(made, run)).messages);
  assert.equal((await runs.get(made, run)).status, "success");
  assert.ok((await runs.wait(made, "sequence", { input })).messages);
  const parts = await collect(runs.stream(made, "sequence", { input, streamResumable: true }));
  const resumed = await collect(runs.joinStream(made, parts[0].data.run_id, { lastEventId: parts[0].id }));
  assert.deepEqual(resumed, parts.slice(1));
  assert.equal((await runs.list(made)).length, 3);
  const { run_id: pending } = await runs.create(made, "sequence", { input, afterSeconds: 600 });
  await runs.cancel(made, pending, true);
  await runs.delete(made, run);
  assert.equal((await runs.list(made)).length, 3);
});

tour("stateless", async ({ runs }) => {
  assert.ok((await runs.wait(null, "sequence", { input })).messages);
  assert.ok((await collect(runs.stream(null, "sequence", { input }))).length > 0);
  const kept = await runs.create(null, "sequence", { input, onCompletion: "keep", afterSeconds: 600 });
  await runs.cancelMany({ threadId: kept.thread_id, runIds: [kept.run_id] });
  const one = { assistantId: "sequence", input };
  assert.equal((await runs.createBatch([one, one])).length, 2);
});

tour("crons", async ({ threads, crons }) => {
  const { thread_id: thread } = await threads.create();
  const yearly = { schedule: "0 0 1 1 *", input };
  const { cron_id: made } = await crons.create("sequence", { ...yearly, metadata: { tour: 13 } });
  await crons.createForThread(thread, "sequence", yearly);
  assert.equal((await crons.search({ threadId: thread })).length, 1);
  assert.equal(await crons.count({ threadId: thread }), 1);
  assert.equal((await crons.update(made, { enabled: false })).enabled, false);
  await crons.delete(made);
  await threads.delete(thread);
});

tour("store", async ({ store }) => {
  const namespace = ["tour", randomUUID()];
  await store.putItem(namespace, "k", { a: 1 });
  assert.deepEqual((await store.getItem(namespace, "k")).value, { a: 1 });
  assert.deepEqual((await store.searchItems(namespace)).items.map((item) => item.key), ["k"]);
  assert.deepEqual((await store.listNamespaces({ prefix: namespace })).namespaces, [namespace]);
  await store.deleteItem(namespace, "k");
});

tour("protocol", async ({ threads }) => {
  for (const transport of ["sse", "websocket"]) {
    const stream = threads.stream({ assistantId: "sequence", transport });
    await stream.run.start({ input });
    assert.ok((await stream.output).messages);
    await stream.close();
  }
});
