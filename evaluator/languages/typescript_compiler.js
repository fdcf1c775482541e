// Runs inside the sandbox under node: checks a TypeScript program's types and makes JavaScript of it.
// As a program: reads main.ts, writes main.js; what is wrong goes to standard error, with exit status 1.
//
// The rules are those of `tsc --target es2022` without `--strict`. Of what is no part of the language, the program sees
// node's globals and modules, all as `any`: no package with their types has to be there. There is no DOM, which takes
// most of tsc's time and whose globals get into the way of honest names (`close`, `find`, `name`).
"use strict";
(() => {
  const fs = require("node:fs");
  const path = require("node:path");

  const GLOBALS = [
    "console", "process", "require", "module", "exports", "Buffer", "global", "__dirname", "__filename", "performance",
    "setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "queueMicrotask", "structuredClone",
    "crypto", "fetch", "URL", "URLSearchParams", "TextEncoder", "TextDecoder",
  ];

  function findTypeScript() {
    for (const folder of process.env.PATH.split(":")) {
      const tsc = path.join(folder, "tsc");
      if (fs.existsSync(tsc)) return path.join(path.dirname(fs.realpathSync(tsc)), "..", "lib", "typescript.js");
    }
    throw new Error("tsc is missing");
  }

  function ambient(source) {
    const declared = (name) => new RegExp(`\\b(?:var|let|const|function|class|namespace|enum)\\s+${name}\\b`).test(source);
    const wanted = GLOBALS.filter((name) => !declared(name));
    return wanted.map((name) => `declare var ${name}: any;`).join("\n") + '\ndeclare module "*";\n';
  }

  // The program as JavaScript. Throws a SyntaxError where it does not compile.
  function compile(source) {
    const typescript = findTypeScript();
    const ts = require(typescript);
    const options = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      moduleDetection: ts.ModuleDetectionKind.Legacy,
      lib: ["lib.es2022.d.ts"],
      types: [],
      esModuleInterop: true,
      skipLibCheck: true,
    };
    const files = new Map([["/main.ts", source], ["/node.d.ts", ambient(source)]]);
    const folder = path.dirname(typescript);
    let javascript = "";
    const read = (name) => files.get(name) ?? (fs.existsSync(name) ? fs.readFileSync(name, "utf8") : undefined);
    const host = {
      getSourceFile: (name, target) => {
        const text = read(name);
        return text === undefined ? undefined : ts.createSourceFile(name, text, target);
      },
      getDefaultLibFileName: () => path.join(folder, "lib.es2022.d.ts"),
      getDefaultLibLocation: () => folder,
      writeFile: (name, text) => { if (name.endsWith(".js")) javascript = text; },
      getCurrentDirectory: () => "/",
      getCanonicalFileName: (name) => name,
      useCaseSensitiveFileNames: () => true,
      getNewLine: () => "\n",
      fileExists: (name) => files.has(name),
      readFile: (name) => files.get(name),
      directoryExists: () => false,
      getDirectories: () => [],
    };
    const program = ts.createProgram([...files.keys()], options, host);
    const main = program.getSourceFile("/main.ts");
    const found = [...program.getSyntacticDiagnostics(main), ...program.getSemanticDiagnostics(main)];
    if (found.length) {
      const { line } = main.getLineAndCharacterOfPosition(found[0].start ?? 0);
      const message = ts.flattenDiagnosticMessageText(found[0].messageText, " ");
      throw new SyntaxError(`line ${line + 1}: TS${found[0].code}: ${message}`);
    }
    program.emit(main);
    return javascript;
  }

  if (require.main !== module) {
    module.exports = compile;
    return;
  }
  try {
    fs.writeFileSync("main.js", compile(fs.readFileSync("main.ts", "utf8")));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    process.stderr.write(error.message + "\n");
    process.exitCode = 1;
  }
})();
