// Runs inside the sandbox under node: executes a solution, calls its function, streams what it returns.
//
// Nothing here decides a verdict: expected values never enter. Read from descriptor 0, as JSON: {runner, compiler, source,
// entryPoint, timed, parts}; `compiler`, if any, makes JavaScript of another language: a module's `script`, and a
// `snapshot` of node's that may be there, and does the same sooner. A part is a list of calls' arguments as JSON text, so
// that every call gets a fresh copy. Written to descriptor 1: the records of evaluator.judging.records, values encoded as
// evaluator.judging.serialise says. Each part runs in a process of its own, which is this file again with one part's
// calls instead of parts.
"use strict";
(() => {
  const fs = require("node:fs");
  const vm = require("node:vm");
  const { spawnSync } = require("node:child_process");

  const MAX_DEPTH = 100;
  const MAX_ITEMS = 5_000_000;
  const { isArray } = Array;
  const { writeSync } = fs;
  const clock = performance.now.bind(performance); // as it was before judged code ran

  // At once, call by call: a later call may never end, and what was wrong before it is wrong.
  class Writer {
    constructor(fd) {
      this.fd = fd;
    }

    record(kind, payload = Buffer.alloc(0)) {
      const head = Buffer.alloc(5);
      head.write(kind, 0, "latin1");
      head.writeUInt32LE(payload.length, 1);
      let rest = Buffer.concat([head, payload]);
      while (rest.length) {
        try {
          rest = rest.subarray(writeSync(this.fd, rest));
        } catch (error) {
          if (error.code !== "EAGAIN") throw error;
        }
      }
    }
  }

  function counted(tag, count) {
    const head = Buffer.alloc(5);
    head.write(tag, 0, "latin1");
    head.writeUInt32LE(count, 1);
    return head;
  }

  function text(value) {
    const bytes = Buffer.from(value, "utf8");
    return [counted("u", bytes.length), bytes];
  }

  function integer(value) {
    if (value === (value | 0)) {
      const bytes = Buffer.alloc(5);
      bytes.write("i", 0, "latin1");
      bytes.writeInt32LE(value, 1);
      return bytes;
    }
    const digits = []; // of 15 bits each
    for (let rest = Math.abs(value); rest > 0; rest = Math.floor(rest / 32768)) digits.push(rest % 32768);
    const bytes = Buffer.alloc(5 + 2 * digits.length);
    bytes.write("l", 0, "latin1");
    bytes.writeInt32LE(value < 0 ? -digits.length : digits.length, 1);
    digits.forEach((digit, i) => bytes.writeUInt16LE(digit, 5 + 2 * i));
    return bytes;
  }

  function float(value) {
    const bytes = Buffer.alloc(9);
    bytes.write("g", 0, "latin1");
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }

  // (..., "opaque", name): equal to nothing.
  function opaque(name) {
    return [counted("(", 3), Buffer.from("."), ...text("opaque"), ...text(String(name).slice(0, 100))];
  }

  class TooLarge extends Error {}

  function encode(value) {
    try {
      return Buffer.concat(pieces(value, MAX_DEPTH, { items: MAX_ITEMS }));
    } catch (error) {
      if (error instanceof TooLarge) return Buffer.concat(opaque("too large"));
      throw error;
    }
  }

  function pieces(value, depth, budget) {
    budget.items -= 1;
    if (depth === 0 || budget.items < 0) throw new TooLarge();
    if (value === null || value === undefined) return [Buffer.from("N")];
    if (value === true) return [Buffer.from("T")];
    if (value === false) return [Buffer.from("F")];
    if (typeof value === "number") return [Number.isSafeInteger(value) ? integer(value) : float(value)];
    if (typeof value === "string") return text(value);
    if (isArray(value)) {
      const found = [counted("[", value.length)];
      for (let i = 0; i < value.length; i++) found.push(...pieces(value[i], depth - 1, budget));
      return found;
    }
    if (typeof value === "object" && isPlain(value)) {
      const found = [Buffer.from("{")];
      for (const key of Object.keys(value)) found.push(...text(key), ...pieces(value[key], depth - 1, budget));
      return [...found, Buffer.from("0")];
    }
    return opaque(typeof value);
  }

  function isPlain(value) {
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || Object.getPrototypeOf(prototype) === null;
  }

  function line(error) {
    try {
      return Buffer.from(`${error?.name ?? typeof error}: ${error?.message ?? error}`.slice(0, 300));
    } catch {
      return Buffer.from("an exception");
    }
  }

  async function runPart({ source, entryPoint, timed, calls }, writer) {
    try {
      Object.assign(globalThis, { require, module: { exports: {} }, exports: {} });
      const found = `\n;globalThis.__entry = typeof ${entryPoint} === "undefined" ? undefined : ${entryPoint};`;
      vm.runInThisContext(source + found, { filename: "solution.js" });
      const entry = globalThis.__entry;
      if (typeof entry !== "function") throw new ReferenceError(`${entryPoint} is not defined`);
      writer.record("S");
      for (const args of calls) {
        const values = JSON.parse(args);
        const start = clock();
        let value = entry(...values);
        if (value instanceof Promise) value = await value;
        const encoded = encode(value);
        if (timed) writer.record("T", float((clock() - start) / 1000));
        writer.record("V", encoded);
      }
    } catch (error) {
      writer.record("E", line(error));
    }
  }

  function compiled({ compiler, source }) {
    if (fs.existsSync(compiler.snapshot)) {
      const { status, stdout, stderr } = spawnSync(process.execPath, ["--snapshot-blob", compiler.snapshot], { input: source });
      if (status === 0) return stdout.toString();
      if (status === 1) throw new SyntaxError(stderr.toString().trim());
    }
    const found = { exports: {} };
    new Function("module", "exports", "require", compiler.script)(found, found.exports, require);
    return found.exports(source);
  }

  function main() {
    const job = JSON.parse(fs.readFileSync(0, "utf8"));
    const writer = new Writer(1);
    if (job.calls) {
      const silent = () => true; // standard output is the records' own
      process.stdout.write = silent;
      process.stderr.write = silent;
      runPart(job, writer).finally(() => process.exit(0));
      return;
    }
    writer.record("R");
    let source;
    try {
      source = job.compiler ? compiled(job) : job.source;
      new vm.Script(source, { filename: "solution.js" });
    } catch (error) {
      writer.record("C", line(error));
      return;
    }
    for (const calls of job.parts) {
      const input = JSON.stringify({ source, entryPoint: job.entryPoint, timed: job.timed, calls });
      spawnSync(process.execPath, process.execArgv.concat(["-e", job.runner]), {
        input,
        stdio: ["pipe", "inherit", "ignore"],
      });
      writer.record("Z");
    }
  }

  main();
})(); // a scope of its own: the solution may use any name
