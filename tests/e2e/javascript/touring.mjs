// A client that notes which of its methods asked for what, as lines of JSON in the file TOUR_VISITS.
import { appendFileSync } from "node:fs";
import { test } from "node:test";
import { Client } from "langgraph-sdk-1";

const RESOURCES = ["assistants", "threads", "runs", "crons", "store"];

// The tour that is on its way, and the method that it called last.
let resource = "";
let method = "";

const { fetch } = globalThis;
globalThis.fetch = async (input, init) => {
  const asked = new Request(input, init);
  const visit = { resource, method, asked: asked.method, path: new URL(asked.url).pathname };
  const response = await fetch(asked);
  appendFileSync(process.env.TOUR_VISITS, `${JSON.stringify({ ...visit, status: response.status })}\n`);
  return response;
};

const client = new Client({ apiUrl: process.env.SUPERSTEP_URL, callerOptions: { maxRetries: 0 } });
for (const name of RESOURCES) {
  client[name] = new Proxy(client[name], {
    get(target, property) {
      method = `${name}.${String(property)}`;
      const member = target[property];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

// A test whose requests are noted under the name of a resource.
export function tour(name, body) {
  test(name, async () => {
    resource = name;
    await body(client);
  });
}

export async function collect(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}
