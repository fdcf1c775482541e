// Runs inside the sandbox under node: a solution and its tests, each with globals of its own, in one process.
//
// Only text passes between them, as JSON: what the solution does to its own `Math`, `Array.prototype` or `console` is
// nothing to the tests, and it holds no object of theirs. The tests call `weighbridgeTest(number, condition)`; when they
// have come to their end, the secret word and the count of different numbers are written.
"use strict";
(() => {
  const fs = require("node:fs");
  const vm = require("node:vm");
  const read = (name) => fs.readFileSync(name, "utf8");
  const [solution, tests, word] = ["solution.js", "tests.js", "weighbridge-word"].map(read);
  for (const name of ["solution.js", "tests.js", "weighbridge-word"]) fs.unlinkSync(name);

  const KEYWORDS = new Set(["catch", "for", "function", "if", "return", "switch", "while"]);
  const { writeSync } = fs;
  const exit = process.reallyExit.bind(process);
  const { parse, stringify } = JSON;
  const passed = new Set();
  const add = Set.prototype.add.bind(passed);
  const has = Set.prototype.has.bind(passed);
  let count = 0;

  function end(status, text) {
    writeSync(status === 0 ? 1 : 2, text);
    exit(status);
  }

  const call = (name, text) => {
    const value = functions[name](...parse(text));
    return stringify(value);
  };
  const record = (number, condition) => {
    if (!condition) end(1, `test ${number} failed\n`);
    if (!has(number)) count += 1;
    add(number);
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
  const script = new vm.Script(tests, { filename: "tests.js" });
  const runTests = script.runInContext.bind(script, apart);

  const functions = Object.create(null);
  Object.assign(globalThis, { require, module: { exports: {} }, exports: {} });
  vm.runInThisContext(solution, { filename: "solution.js" });
  const find = (name) => vm.runInThisContext(`typeof ${name} === "function" ? ${name} : undefined`);
  for (let i = 0; i < names.length; i++) functions[names[i]] = find(names[i]);
  prepare(call, record, names);
  runTests();
  end(0, `\n${word} ${count}\n`);
})();
