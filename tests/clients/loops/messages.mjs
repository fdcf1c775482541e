// The package `@anthropic-ai/sdk` on Messages: its own runner of streamed tool calls. Prints the model's last words.
import { writeFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

const text = { type: "string" };
const tool = betaTool({
  name: "write_file",
  description: "Writes a file.",
  inputSchema: { type: "object", properties: { path: text, content: text }, required: ["path", "content"] },
  run: ({ path, content }) => (writeFileSync(path, content), "written"),
});
const messages = [{ role: "user", content: "Write hello.py" }];
const runner = new Anthropic().beta.messages.toolRunner({
  model: "auto",
  max_tokens: 999,
  stream: true,
  messages,
  tools: [tool],
});
let last;
for await (const stream of runner) last = await stream.finalMessage();
console.log(last.content.map((block) => block.text ?? "").join(""));
