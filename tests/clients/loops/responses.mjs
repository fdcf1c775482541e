// The package `openai` on Responses: streamed tool calls until there are none. Prints the model's last words.
import { writeFileSync } from "node:fs";
import OpenAI from "openai";

const text = { type: "string" };
const parameters = { type: "object", properties: { path: text, content: text }, required: ["path", "content"] };
const tools = [{ type: "function", name: "write_file", description: "Writes a file.", parameters, strict: false }];
const input = [{ role: "user", content: "Write hello.py" }];
const client = new OpenAI();
for (;;) {
  const response = await client.responses.stream({ model: "auto", input, tools, store: false }).finalResponse();
  const calls = response.output.filter((item) => item.type === "function_call");
  if (calls.length === 0) {
    console.log(response.output_text);
    break;
  }
  for (const { parsed_arguments, ...item } of response.output) input.push(item);
  for (const call of calls) {
    const { path, content } = JSON.parse(call.arguments);
    writeFileSync(path, content);
    input.push({ type: "function_call_output", call_id: call.call_id, output: "written" });
  }
}
