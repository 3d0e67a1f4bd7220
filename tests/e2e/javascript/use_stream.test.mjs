// The React hook `useStream` as an application mounts it: what it asks for, and what it shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement } from "react";
import TestRenderer from "react-test-renderer";
import { Client } from "langgraph-sdk-1";
import { useStream } from "langgraph-sdk-1/react";

// What the hook takes for a browser, where a page can be loaded again.
globalThis.window = {};

const apiUrl = process.env.SUPERSTEP_URL;
const DEADLINE_MILLISECONDS = 20_000;

// A mounted component: `stream` is what its hook returned last.
async function mount(options) {
  const mounted = {};
  function Chat() {
    mounted.stream = useStream({ apiUrl, ...options });
    return null;
  }
  const renderer = TestRenderer.create(createElement(Chat));
  mounted.unmount = () => renderer.unmount();
  await until("the first render", () => mounted.stream);
  return mounted;
}

async function until(what, holds) {
  const deadline = Date.now() + DEADLINE_MILLISECONDS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const texts = (stream) => stream.messages.map((message) => message.content);

test("a conversation has its tokens, its messages and its history", async () => {
  const threads = [];
  const runs = [];
  const chat = await mount({
    assistantId: "chat",
    fetchStateHistory: true,
    onThreadId: (id) => threads.push(id),
    onCreated: (run) => runs.push(run),
  });
  chat.stream.submit({ messages: [{ type: "human", content: "hi" }] });
  await until("the first words", () => texts(chat.stream)[1]?.startsWith("Hello"));
  await until("the end", () => !chat.stream.isLoading && chat.stream.history.length > 0);
  assert.deepEqual(texts(chat.stream), ["hi", "Hello brave new world"]);
  assert.equal(threads.length, 1);
  assert.equal(runs[0].thread_id, threads[0]);
  const [, answer] = chat.stream.messages;
  assert.equal(chat.stream.getMessagesMetadata(answer).firstSeenState.checkpoint.thread_id, threads[0]);
  chat.stream.submit({ messages: [{ type: "human", content: "again" }] });
  await until("the second answer", () => !chat.stream.isLoading && chat.stream.messages.length === 4);
  chat.unmount();
});

test("an interrupt is asked, and answered", async () => {
  const chat = await mount({ assistantId: "approval", fetchStateHistory: true });
  chat.stream.submit({ draft: "d" });
  await until("the question", () => !chat.stream.isLoading && chat.stream.interrupt);
  assert.deepEqual(chat.stream.interrupt.value, { question: "approve?", draft: "draft-d" });
  chat.stream.submit(undefined, { command: { resume: "yes" } });
  await until("the answer", () => !chat.stream.isLoading && chat.stream.values.log?.includes("publish"));
  assert.equal(chat.stream.values.decision, "yes");
  assert.equal(chat.stream.interrupt, undefined);
  chat.unmount();
});

test("a failure is shown as an error", async () => {
  const failures = [];
  const chat = await mount({ assistantId: "failing", onError: (error) => failures.push(error) });
  chat.stream.submit({ log: [] });
  await until("the failure", () => !chat.stream.isLoading && chat.stream.error);
  assert.match(String(chat.stream.error.message), /boom/);
  assert.equal(failures.length, 1);
  chat.unmount();
});

test("a page that is loaded again joins the run and misses nothing", async () => {
  const kept = new Map();
  const storage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
  let threadId;
  const options = { assistantId: "slow", reconnectOnMount: () => storage, fetchStateHistory: true };
  const before = await mount({ ...options, onThreadId: (id) => { threadId = id; } });
  before.stream.submit({ seconds: 1.5 }, { streamResumable: true, onDisconnect: "continue" });
  await until("the first node", () => before.stream.values.log?.includes("before"));
  before.unmount();
  const after = await mount({ ...options, threadId });
  await until("the last node", () => !after.stream.isLoading && after.stream.values.log?.length === 2);
  assert.deepEqual(after.stream.values.log, ["before", "slept 1.5"]);
  after.unmount();
});

test("stop ends the run", async () => {
  const stopped = [];
  let threadId;
  const chat = await mount({
    assistantId: "slow",
    onStop: () => stopped.push(true),
    onThreadId: (id) => { threadId = id; },
  });
  chat.stream.submit({ seconds: 60 });
  await until("the first node", () => chat.stream.values.log?.includes("before"));
  await chat.stream.stop();
  await until("the stop", () => !chat.stream.isLoading);
  assert.equal(stopped.length, 1);
  const { threads } = new Client({ apiUrl });
  await until("the run's end", async () => (await threads.get(threadId)).status === "interrupted");
  chat.unmount();
});
