// Runs inside the sandbox under node: checks a TypeScript program's types and makes JavaScript of it.
// As a program: from standard input to standard output; what is wrong goes to standard error, with exit status 1.
//
// The rules are those of `tsc --target es2022` without `--strict`. Of what is no part of the language, the program sees
// node's globals and modules, all as `any`: no package with their types has to be there. There is no DOM, which takes
// most of tsc's time and whose globals get into the way of honest names (`close`, `find`, `name`).
//
// A snapshot of node's heap, made once a machine, holds the compiler and the standard library's parsed types: see
// typescript.py. There this file follows typescript.js, which has defined `ts`.
"use strict";
(() => {
  const fs = require("fs");
  const path = require("path");
  const { startupSnapshot } = require("v8");

  const GLOBALS = [
    "console", "process", "require", "module", "exports", "Buffer", "global", "__dirname", "__filename", "performance",
    "setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "queueMicrotask", "structuredClone",
    "crypto", "fetch", "URL", "URLSearchParams", "TextEncoder", "TextDecoder",
  ];
  const inSnapshot = startupSnapshot?.isBuildingSnapshot();
  const folder = findFolder();
  const compiler = inSnapshot ? ts : require(path.join(folder, "typescript.js"));
  const parsed = new Map();

  function findFolder() {
    for (const bin of process.env.PATH.split(":")) {
      const tsc = path.join(bin, "tsc");
      if (fs.existsSync(tsc)) return path.join(path.dirname(fs.realpathSync(tsc)), "..", "lib");
    }
    throw new Error("tsc is missing");
  }

  function ambient(source) {
    const declared = (name) => new RegExp(`\\b(?:var|let|const|function|class|namespace|enum)\\s+${name}\\b`).test(source);
    const wanted = GLOBALS.filter((name) => !declared(name));
    return wanted.map((name) => `declare var ${name}: any;`).join("\n") + '\ndeclare module "*";\n';
  }

  function library(name, target) {
    if (!parsed.has(name) && fs.existsSync(name)) {
      parsed.set(name, compiler.createSourceFile(name, fs.readFileSync(name, "utf8"), target));
    }
    return parsed.get(name);
  }

  // The program as JavaScript. Throws a SyntaxError where it does not compile.
  function compile(source) {
    const files = new Map([["/main.ts", source], ["/node.d.ts", ambient(source)]]);
    const options = {
      target: compiler.ScriptTarget.ES2022,
      module: compiler.ModuleKind.CommonJS,
      lib: ["lib.es2022.d.ts"],
      types: [],
      esModuleInterop: true,
      skipLibCheck: true,
    };
    let javascript = "";
    const host = {
      getSourceFile: (name, target) =>
        files.has(name) ? compiler.createSourceFile(name, files.get(name), target) : library(name, target),
      getDefaultLibFileName: () => path.join(folder, "lib.es2022.d.ts"),
      getDefaultLibLocation: () => folder,
      writeFile: (_, text) => { javascript = text; },
      getCurrentDirectory: () => "/",
      getCanonicalFileName: (name) => name,
      useCaseSensitiveFileNames: () => true,
      getNewLine: () => "\n",
      fileExists: (name) => files.has(name),
      readFile: (name) => files.get(name),
      directoryExists: () => false,
      getDirectories: () => [],
    };
    const program = compiler.createProgram([...files.keys()], options, host);
    const main = program.getSourceFile("/main.ts");
    const [wrong] = [...program.getSyntacticDiagnostics(main), ...program.getSemanticDiagnostics(main)];
    if (wrong) {
      const { line } = main.getLineAndCharacterOfPosition(wrong.start ?? 0);
      const message = compiler.flattenDiagnosticMessageText(wrong.messageText, " ");
      throw new SyntaxError(`line ${line + 1}: TS${wrong.code}: ${message}`);
    }
    program.emit(main);
    return javascript;
  }

  function run() {
    try {
      fs.writeFileSync(1, compile(fs.readFileSync(0, "utf8")));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      process.stderr.write(error.message + "\n");
      process.exitCode = 1;
    }
  }

  if (inSnapshot) {
    compile("const doubled: number[] = [1].map((x) => 2 * x);");
    startupSnapshot.setDeserializeMainFunction(run);
  } else if (require.main === module) run();
  else module.exports = compile;
})();
