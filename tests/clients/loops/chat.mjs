// The package `openai` on chat: its own runner of streamed tool calls. Prints the model's last words.
import { writeFileSync } from "node:fs";
import OpenAI from "openai";

const text = { type: "string" };
const runner = new OpenAI().chat.completions.runTools({
  model: "auto",
  stream: true,
  messages: [{ role: "user", content: "Write hello.py" }],
  tools: [
    {
      type: "function",
      function: {
        name: "write_file",
        description: "Writes a file.",
        parse: JSON.parse,
        parameters: { type: "object", properties: { path: text, content: text }, required: ["path", "content"] },
        function: ({ path, content }) => (writeFileSync(path, content), "written"),
      },
    },
  ],
});
console.log(await runner.finalContent());
