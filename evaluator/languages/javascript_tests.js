// Runs inside the sandbox under node: tests, whose solution is another process (javascript_answers.js).
//
// Only text passes between them, as JSON: what the solution does to its own `Math`, `Array.prototype` or `console` is
// nothing to the tests, and their memory is not its own. The tests call `weighbridgeTest(number, condition)`; when they
// have come to their end, the secret word and the count of different numbers are written.
"use strict";
(() => {
  const fs = require("node:fs");
  const vm = require("node:vm");
  const read = (name) => fs.readFileSync(name, "utf8");
  const [solution, tests, word] = ["solution.js", "tests.js", "weighbridge-word"].map(read);
  for (const name of ["solution.js", "tests.js", "weighbridge-word", "tests"]) fs.rmSync(name, { force: true });

  const KEYWORDS = new Set(["catch", "for", "function", "if", "return", "switch", "while"]);
  const passed = new Set();
  let received = Buffer.alloc(0);

  function end(status, text) {
    fs.writeSync(status === 0 ? 1 : 2, text);
    process.reallyExit(status);
  }

  function ask(text) {
    let rest = Buffer.from(text + "\n");
    while (rest.length) rest = rest.subarray(fs.writeSync(3, rest));
  }

  function answer(name) {
    let at;
    const chunks = [received];
    while ((at = received.indexOf(10)) < 0) {
      const chunk = Buffer.alloc(1 << 16);
      const size = fs.readSync(4, chunk);
      if (size === 0) end(1, `${name} gave no result\n`);
      received = chunk.subarray(0, size);
      chunks.push(received);
    }
    const last = chunks.pop();
    const text = Buffer.concat([...chunks, last.subarray(0, at)]).toString();
    received = last.subarray(at + 1);
    return text === "" ? undefined : text;
  }

  const call = (name, text) => {
    ask(JSON.stringify([name, text]));
    return answer(name);
  };
  const record = (number, condition) => {
    if (!condition) end(1, `test ${number} failed\n`);
    passed.add(number);
  };

  const apart = vm.createContext(Object.create(null));
  const prepare = vm.runInContext(
    `(call, weighbridgeTest, names, { parse, stringify } = JSON) => {
       for (const name of names) globalThis[name] = (...args) => {
         const text = call(name, stringify(args));
         return text === undefined ? undefined : parse(text);
       };
       globalThis.weighbridgeTest = weighbridgeTest;
     }`,
    apart,
  );
  const isBuiltin = vm.runInContext("(name) => name in globalThis", apart);
  const called = new Set(tests.match(/[A-Za-z_$][\w$]*(?=\s*\()/g));
  const names = [...called].filter((name) => !isBuiltin(name) && !KEYWORDS.has(name));
  prepare(call, record, names);
  process.on("uncaughtException", (error) => end(1, `${error}\n`));
  ask(JSON.stringify(solution));
  vm.runInContext(tests, apart, { filename: "tests.js" });
  end(0, `\n${word} ${passed.size}\n`);
})();
