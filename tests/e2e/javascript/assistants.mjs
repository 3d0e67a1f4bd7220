// Prints what the official JavaScript client gets from every call about assistants, as one JSON object.
import { Client } from "@langchain/langgraph-sdk";

const { assistants } = new Client({ apiUrl: process.argv[2], callerOptions: { maxRetries: 0 } });
const owner = { owner: `javascript-${process.pid}` };

const made = await assistants.create({ graphId: "nested", metadata: owner, context: { word: "Hi" } });
const id = made.assistant_id;
const changed = await assistants.update(id, { name: "renamed" });
const versions = await assistants.getVersions(id);
const restored = await assistants.setLatest(id, 1);
const found = await assistants.search({ metadata: owner, includePagination: true });
const count = await assistants.count({ metadata: owner });
const graph = await assistants.getGraph(id, { xray: true });
const schemas = await assistants.getSchemas(id);
const subgraphs = await assistants.getSubgraphs(id, { recurse: true });
await assistants.delete(id);
const missing = await assistants.get(id).catch((error) => error.status);

console.log(
  JSON.stringify({ made, changed, versions, restored, found, count, graph, schemas, subgraphs, missing }),
);
