// Looks into the compiled objects with nm. An object compiled for one instruction set may export its kernel table and
// templates instantiated on its own Vec, nothing else: of two weak copies of one function the linker keeps either, and
// the AVX-512 copy would then run on every CPU. Nor may it run code when the addon is loaded. The addon itself exports
// only Node-API's entry points.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { filesBelow, instructionSets, report, root, skip } from "./files.mjs";

if (process.platform === "win32") skip("symbols", "nm reads ELF and Mach-O, not this platform's objects");

/** The symbols an object or a shared library defines: nm's letter and the demangled name. */
function symbols(file, ...options) {
  const text = execFileSync("nm", ["-C", "--defined-only", ...options, join(root, file)], { encoding: "utf8" });
  return [...text.matchAll(/^[0-9a-f]* *(\S) (.+)$/gm)].map(([, kind, name]) => ({ kind, name }));
}

function checkObject(file, isa) {
  const findings = [];
  const defined = symbols(file);
  const tables = defined.filter(({ kind }) => "TDRBS".includes(kind));
  if (tables.length !== 1 || !tables[0].name.endsWith(`${isa}_kernels`)) {
    findings.push(
      `exports ${tables.map(({ name }) => name).join(", ") || "nothing"}; expected one table, ${isa}_kernels`,
    );
  }
  for (const { kind, name } of defined) {
    if ("WVu".includes(kind) && !name.includes(`${isa}::`)) findings.push(`weak symbol outside ${isa}: ${name}`);
    if (/^_GLOBAL__sub_I_|^__cxx_global_var_init/.test(name)) findings.push(`runs code when loaded: ${name}`);
  }
  return findings.map((finding) => `${file}: ${finding}`);
}

function checkAddon(file) {
  const dynamic = process.platform === "darwin" ? ["-g"] : ["-D"];
  return (
    symbols(file, ...dynamic)
      // The C++ library marks its own templates visible; as weak symbols they belong to nobody.
      .filter(({ kind, name }) => !("WVu".includes(kind) && /^(typeinfo (name )?for )?std::/.test(name)))
      .filter(({ name }) => !/^_?(napi_register_module_v|node_api_module_get_api_version_v)/.test(name))
      .map(({ name }) => `${file}: exports ${name}`)
  );
}

try {
  const findings = [];
  let count = 0;
  for (const folder of ["build", "build-cmake"]) {
    for (const isa of instructionSets) {
      for (const file of filesBelow(folder, new RegExp(`^${isa}(\\.cpp)?\\.o$`))) {
        findings.push(...checkObject(file, isa));
        count++;
      }
    }
    const addons = filesBelow(folder, /^fused_adamw\.node$/).filter(
      (file) => file === `${folder}/Release/fused_adamw.node`,
    );
    findings.push(...addons.flatMap(checkAddon));
    count += addons.length;
  }
  if (count === 0) skip("symbols", "nothing is built yet (npm run build)");
  report("symbols", findings, `${count} objects`);
} catch (error) {
  if (error.code === "ENOENT") skip("symbols", "nm is not installed");
  throw error;
}
