// Holds the layers to one direction: every #include and import points down the list in docs/design.md.
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { basename, dirname, join, normalize } from "node:path";
import { filesBelow, instructionSets, report, root } from "./files.mjs";

// What each part may include, most specific first: the first row whose `of` matches a file holds for it.
// An instruction set's file sees its own Vec, the generic loops and the rule: anything else it included could leave
// a copy compiled for that instruction set, which the linker may hand to code that runs on every CPU.
const layers = [
  { of: /^native\/rule\//, may: [/^native\/rule\//] },
  {
    of: new RegExp(`^native/kernels/cpu/(${instructionSets.join("|")})\\.cpp$`),
    may: [/^native\/kernels\/(averages|pass|stream|cpu\/(generic|kernels|SELF))\.h$/, /^native\/rule\//],
  },
  { of: new RegExp(`^native/kernels/cpu/(${instructionSets.join("|")})\\.h$`), may: [/^native\/rule\//] },
  {
    of: /^native\/kernels\/cpu\/generic\.h$/,
    may: [/^native\/kernels\/(averages|pass|stream|cpu\/kernels)\.h$/, /^native\/rule\//],
  },
  { of: /^native\/kernels\/(averages|pass|stream|cpu\/kernels)\.h$/, may: [/^native\/rule\//] },
  { of: /^native\/kernels\//, may: [/^native\/kernels\//, /^native\/rule\//] },
  {
    of: /^native\/engine\//,
    may: [/^native\/engine\//, /^native\/kernels\/(device|devices|error|memory)\.h$/, /^native\/rule\//],
  },
  {
    of: /^native\/binding\//,
    // The tables of the rule are read to report them to TypeScript, where a test holds both languages to one list.
    may: [
      /^native\/binding\//,
      /^native\/engine\//,
      /^native\/kernels\/(checksum|device|devices|error)\.h$/,
      /^native\/rule\/(dtype|hyper|layout)\.h$/,
      /^napi\.h$/,
    ],
  },
  // The command line's libraries: each is imported by the one file that wraps it, which only the commands that need it
  // load. The library itself needs nothing but Node, and what reads and writes zip archives and HDF5 files.
  { of: /^lib\/cli\/table\.ts$/, may: [/^lib\//, /^node:/, /^cli-table3$/] },
  { of: /^lib\/cli\/terminal-bar\.ts$/, may: [/^lib\//, /^node:/, /^cli-progress$/] },
  { of: /^lib\/cli\/train\/progress\.ts$/, may: [/^lib\//, /^node:/, /^cli-progress$/] },
  { of: /^lib\/cli\/train\//, may: [/^lib\//, /^node:/, /^@tensorflow\/tfjs-(core|backend-(wasm|cpu))$/] },
  { of: /^lib\/cli\/bench\/peers\/tfjs\.ts$/, may: [/^lib\//, /^node:/, /^@tensorflow\/tfjs-core$/] },
  { of: /^lib\/cli\//, may: [/^lib\//, /^node:/, /^commander$/] },
  { of: /^lib\/state\/h5-worker/, may: [/^lib\//, /^node:/, /^h5wasm\/node$/] },
  { of: /^lib\/state\/zip-/, may: [/^lib\//, /^node:/, /^(yauzl|yazl)$/] },
  { of: /^lib\//, may: [/^lib\/(?!cli\/)/, /^node:/] },
];

/** Paths from the root for files of ours, else the name as written. */
function resolveInclude(from, name) {
  const places = [join(dirname(from), name), join("native", name)].map((path) => normalize(path).replaceAll("\\", "/"));
  return places.find((path) => existsSync(join(root, path))) ?? name;
}

/** Headers of ours and Node-API's; what the compiler and the system bring is free to all. */
function includesOf(file, text) {
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)/gm)]
    .map(([, quoted, angled]) => ({ name: resolveInclude(file, quoted ?? angled), quoted: quoted !== undefined }))
    .filter(({ name, quoted }) => quoted || name.startsWith("native/") || name === "napi.h")
    .map(({ name }) => name);
}

function importsOf(file, text) {
  const specifiers = /(?<![.\w])(?:from|import)\s*\(?\s*"([^"]+)"/g;
  return [...text.matchAll(specifiers)].map(([, name]) => {
    if (name.startsWith("."))
      return normalize(join(dirname(file), name))
        .replaceAll("\\", "/")
        .replace(/\.js$/, ".ts");
    return builtinModules.includes(name) ? `node:${name}` : name;
  });
}

const languages = [
  { files: filesBelow("native", /\.(h|cpp|cu|cuh)$/), arrows: includesOf },
  { files: filesBelow("lib", /\.(ts|js)$/), arrows: importsOf },
];

/** Files of lib that can reach themselves; `import type` counts, for a reader follows it too. */
function cycles(graph) {
  const found = [];
  const state = new Map();
  const visit = (file, path) => {
    if (state.get(file) === "done" || !graph.has(file)) return;
    if (state.get(file) === "open") {
      found.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
      return;
    }
    state.set(file, "open");
    for (const target of graph.get(file)) visit(target, [...path, file]);
    state.set(file, "done");
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

const graph = new Map();
const findings = [];
for (const { files, arrows } of languages) {
  for (const file of files) {
    const targets = arrows(file, readFileSync(join(root, file), "utf8"));
    graph.set(file, targets);
    const layer = layers.find(({ of }) => of.test(file));
    if (!layer) {
      findings.push(`${file}: belongs to no layer listed in scripts/lint/layers.mjs`);
      continue;
    }
    const self = basename(file).replace(/\.\w+$/, "");
    const may = layer.may.map((pattern) => new RegExp(pattern.source.replace("SELF", self)));
    for (const target of targets) {
      if (!may.some((pattern) => pattern.test(target))) findings.push(`${file}: may not include ${target}`);
    }
  }
}
findings.push(...cycles(graph));
report("layers", findings, `${graph.size} files`);
