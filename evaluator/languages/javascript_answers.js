// Runs inside the sandbox under node: a solution, whose tests are another process.
//
// On descriptor 3 comes its source, as a line of JSON, and then a line [name, arguments] a call, the arguments JSON text;
// to descriptor 4 goes a line with what each call returned, as JSON, empty for `undefined`.
"use strict";
(() => {
  const fs = require("node:fs");
  const vm = require("node:vm");
  const { readSync, writeSync } = fs;
  const { parse, stringify } = JSON;
  let received = Buffer.alloc(0);

  function line() {
    let end;
    while ((end = received.indexOf(10)) < 0) {
      const chunk = Buffer.alloc(1 << 16);
      const size = readSync(3, chunk);
      if (size === 0) process.reallyExit(0);
      received = Buffer.concat([received, chunk.subarray(0, size)]);
    }
    const found = received.subarray(0, end).toString();
    received = received.subarray(end + 1);
    return parse(found);
  }

  function answer(text) {
    let rest = Buffer.from(`${text ?? ""}\n`);
    while (rest.length) rest = rest.subarray(writeSync(4, rest));
  }

  const solution = line();
  Object.assign(globalThis, { require, module: { exports: {} }, exports: {} });
  vm.runInThisContext(solution, { filename: "solution.js" });
  for (;;) {
    const [name, text] = line();
    answer(stringify(vm.runInThisContext(name)(...parse(text))));
  }
})();
