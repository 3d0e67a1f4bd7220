// Loads a component as `LoadExternalComponent` of the React SDK does, and prints what it renders.
import { createRequire } from "node:module";
import vm from "node:vm";

import { Client } from "@langchain/langgraph-sdk";

const [url] = process.argv.slice(2);
const client = new Client({ apiUrl: url });
const html = await client["~ui"].getComponent("weather", "weather");
const [, styleUrl] = /<link rel="stylesheet" href="([^"]+)"/.exec(html);
const [, scriptUrl, onload] = /<script src="([^"]+)" onload="([^"]+)"/.exec(html);
const [style, script] = await Promise.all([styleUrl, scriptUrl].map((address) => fetch(address)));

let component;
const page = { document: { getElementById: () => ({ shadowRoot: { appendChild() {} } }), createElement: () => ({}) } };
page.window = page;
page[Symbol.for("LGUI_REQUIRE")] = createRequire(import.meta.url);
page[Symbol.for("LGUI_EXT_STORE")] = { respond: (_root, found) => (component = found) };
const context = vm.createContext(page);
vm.runInContext(await script.text(), context);
vm.runInContext(onload.replaceAll("&quot;", '"').replace("{{shadowRootId}}", "root"), context);

const missing = await client["~ui"].getComponent("nobody", "weather").catch((error) => error.message);
console.log(
  JSON.stringify({
    element: component({ city: "Oslo" }).props,
    style: await style.text(),
    types: [style, script].map((response) => response.headers.get("content-type")),
    missing,
  }),
);
