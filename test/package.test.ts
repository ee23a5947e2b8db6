import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import * as api from "../lib/index.js";
import { temporaryFolder } from "./temporary.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Every file of the tree, and every file a user would get, by npm's own account. */
function packed(): Set<string> {
  const json = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts", "--loglevel=error"], {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  return new Set((JSON.parse(json)[0].files as { path: string }[]).map(({ path }) => path));
}

const sources = execFileSync("git", ["ls-files", "native", "lib", "cmake"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(root, path)));

describe("the package", () => {
  it("exports the names of its documentation", () => {
    expect(Object.keys(api)).to.include.members([
      "AdamW",
      "AdamWError",
      "LossScaleOptimizer",
      "deserialize",
      "devices",
      "errorCodes",
      "schedules",
      "serialize",
    ]);
  });

  it("holds every source, and no tests, builds or binaries", () => {
    const files = packed();
    for (const path of sources) expect(files, path).to.include(path);
    for (const path of files) {
      expect(path).not.to.match(/^(test|build|examples|node_modules|\.)/);
      expect(path).not.to.match(/\.(node|o|a|tgz)$/);
    }
    for (const path of ["LICENSE", "README.md", "native/addon.gypi", "CMakeLists.txt", "scripts/build.mjs"]) {
      expect(files, path).to.include(path);
    }
  });

  it("holds what its sources and build files name", () => {
    const files = packed();
    for (const path of sources.filter((source) => /\.(cpp|h|cu|cuh)$/.test(source))) {
      for (const [, name = ""] of readFileSync(join(root, path), "utf8").matchAll(/^#include "([^"]+)"/gm)) {
        const places = [dirname(path), "native"].map((folder) => posix.join(folder, name));
        expect(
          places.some((place) => files.has(place)),
          `${path} includes ${name}`,
        ).to.equal(true);
      }
    }
    for (const [, name = ""] of readFileSync(join(root, "native/sources.gypi"), "utf8").matchAll(/"([^"]+\.cpp)"/g)) {
      const places = [name, posix.join("native", name)];
      expect(
        places.some((place) => files.has(place)),
        name,
      ).to.equal(true);
    }
  });

  it("points at types and code that the compiler writes from lib", () => {
    const { default: code, types } = manifest.exports["."];
    expect(types).to.equal("./dist/index.d.ts").and.to.equal(manifest.types);
    expect(code).to.equal("./dist/index.js");
    expect(existsSync(join(root, "lib/index.ts"))).to.equal(true);
  });

  it("has declarations that compile in a strict project, with Node's types, a browser's, or neither", () => {
    const folder = temporaryFolder();
    try {
      const installed = folder("node_modules/fused-adamw");
      mkdirSync(installed, { recursive: true });
      copyFileSync(join(root, "package.json"), join(installed, "package.json"));
      const compiler = join(root, "node_modules/typescript/bin/tsc");
      const tsc = (...args: string[]) =>
        execFileSync(process.execPath, [compiler, ...args], { cwd: folder(), encoding: "utf8" });
      tsc("-p", join(root, "tsconfig.build.json"), "--emitDeclarationOnly", "--outDir", join(installed, "dist"));
      for (const file of readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" })) {
        if (!file.endsWith(".d.ts") || file.startsWith("cli")) continue;
        const text = readFileSync(join(installed, "dist", file), "utf8");
        expect(text, `${file}: typed arrays are generic from TypeScript 5.7 on`).to.not.match(/\w\dArray</);
      }
      const uses = Object.keys(api).join(", ");
      const program = [
        `import { ${uses} } from "fused-adamw";`,
        `export const all = [${uses}];`,
        'export const saved: Promise<{ bytes: number }> = new AdamW().save("x", { snapshot: "stream" });',
        "declare const signal: { readonly aborted: boolean; readonly reason: unknown };",
        "export const stopped = new AdamW().stepAsync({ signal });",
      ];
      writeFileSync(folder("program.mts"), program.join("\n"));
      const types = ["--typeRoots", join(root, "node_modules/@types"), "--types", "node"];
      for (const world of [["--types", ""], ["--types", "", "--lib", "ES2022,DOM"], types]) {
        const strict = "--noEmit --strict --exactOptionalPropertyTypes --target ES2022 --lib ES2022 --module nodenext";
        tsc(...strict.split(" "), "--skipLibCheck", "false", ...world, folder("program.mts"));
      }
    } catch (error) {
      expect.fail((error as { stdout?: string }).stdout || String(error));
    }
  });

  it("compiles nothing when it is installed unless asked, and needs no header download", () => {
    expect(manifest.gypfile).to.equal(false);
    // Older npms do not heed that when they install from a lock file.
    expect(packed()).not.to.include("binding.gyp");
    expect(manifest.scripts).not.to.have.any.keys("preinstall", "postinstall");
    expect(manifest.binary.napi_versions).to.deep.equal([9]);
  });
});
