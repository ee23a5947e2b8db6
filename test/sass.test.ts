import { expect } from "chai";

const scripts = new URL("../scripts/sass/", import.meta.url);
const { hotLoop } = await import(new URL("hot-loop.mjs", scripts).href);
const { judge } = await import(new URL("judge.mjs", scripts).href);

/** Machine code from lines such as "@P0 BRA tail"; a line "tail:" names the instruction after it. */
function assemble(text: string) {
  const lines = text.trim().split(/\s*\n\s*/);
  const labels = new Map<string, number>();
  const code = lines.flatMap((line) => {
    if (!line.endsWith(":")) return [line];
    labels.set(line.slice(0, -1), lines.slice(0, lines.indexOf(line)).filter((l) => !l.endsWith(":")).length);
    return [];
  });
  return code.map((line) => {
    const [, predicate, opcode, operands = ""] = /^(@\S+ )?(\S+)(?: (.*))?$/.exec(line)!;
    const place = operands.replace(/\b[a-z]+$/, (name) => `0x${(16 * labels.get(name)!).toString(16)}`);
    return { ...(predicate ? { predicate } : {}), opcode, operands: place };
  });
}

const load = "LDG.E.128 R4,desc[UR4][R2.64]";
const store = "STG.E.128 desc[UR4][R2.64],R4";
const words = (line: string, times: number) => new Array(times).fill(line).join("\n");

/** An update of four loads: a root with its slow path, a conditional zeroing, a tail loop of single elements. */
const update = ({ loads = 4, stores = 3, more = "" } = {}) => `
  MOV R0,RZ
  loop:
  ${words(load, loads)}
  MUFU.RSQ R8,R4
  @!P0 BRA fast
  CALL.REL.NOINC $__internal_0_$sqrt
  fast:
  FFMA R4,R8,R8,R4
  ${more}
  ${words(store, stores)}
  @!P1 BRA next
  ${store}
  next:
  @P2 BRA loop
  tail:
  LDG.E R4,desc[UR4][R2.64]
  MUFU.RSQ R8,R4
  STG.E desc[UR4][R2.64],R4
  @P3 BRA tail
  EXIT`;

const name = "_ZN5adamw4cuda6updateINS_6LayoutINS_3F32ES3_S3_EELj0EEEvNS_4PlanE";
const faults = (text: string, compiled = {}) =>
  judge({ name, code: assemble(text), registers: 64, spills: 0, stack: 0, ...compiled }).faults;

describe("The counts of machine code", () => {
  it("are those of the fast path of the loop that moves 16 bytes at a time", () => {
    const { loads, stores, instructions, perPipe, narrow } = hotLoop(assemble(update()), () => true);
    expect({ loads, stores, narrow }).to.deep.equal({ loads: 4, stores: 4, narrow: 0 });
    // Loads, root, branch, fma, stores, branch, zeroing, branch; neither the call nor the tail.
    expect(instructions).to.equal(4 + 1 + 1 + 1 + 3 + 1 + 1 + 1);
    expect(perPipe).to.deep.include({ special: 1 / 16, fp32: 1 / 128, memory: (8 * 4) / 32 });
  });

  it("find nothing wrong with 28 bytes per parameter", () => {
    const { counts } = judge({ name, code: assemble(update()), registers: 64, spills: 0, stack: 0 });
    expect(counts).to.include({ bytes: 28, loads: 4, stores: 3, perElement: 13 / 4 });
    expect(faults(update())).to.deep.equal([]);
  });

  it("find each thing that may be wrong", () => {
    expect(faults(update({ loads: 5 }))).to.deep.include("5 loads of 16 bytes, not 4 for each vector");
    expect(faults(update({ stores: 4 }))[0]).to.match(/4 stores of 16 bytes/);
    expect(faults(update({ more: "LDG.E.64 R4,desc[UR4][R2.64]" }))).to.deep.equal([
      "1 accesses of less than 16 bytes",
    ]);
    expect(faults(update({ more: "STL [R1],R4" }))).to.deep.equal(["local memory is accessed"]);
    expect(faults(update({ more: words("FADD R4,R4,R4", 1000) })).join()).to.match(/issue takes \d+ % of/);
    expect(faults(update().replaceAll(".128", ""))).to.deep.equal(["no loop with 16-byte loads"]);
    expect(faults(update(), { stack: 8 })).to.deep.equal(["8 bytes of local memory"]);
  });

  it("are refused where a loop inside hides how often it is run", () => {
    const nested = update({ more: "inner:\nFADD R4,R4,R4\n@P4 BRA inner" });
    expect(() => faults(nested)).to.throw("a loop inside");
  });
});
