// Machine code (SASS) as nvdisasm reads it: kernels, their basic blocks, the loops among them.
import { execFileSync } from "node:child_process";

const instructionBytes = 16;

/** The kernels of a cubin: name → instructions, each { predicate, opcode, operands }. */
export function readKernels(nvdisasm, cubin) {
  const text = execFileSync(nvdisasm, ["-json", cubin], { encoding: "utf8", maxBuffer: 2 ** 28 });
  const functions = JSON.parse(text).flat();
  return new Map(
    functions
      .filter((item) => item["sass-instructions"] && !item["function-name"].startsWith("$"))
      .map((item) => [item["function-name"], item["sass-instructions"]]),
  );
}

/** Where a branch goes, as an index of an instruction. A CALL to an address is a far branch, to a symbol a call. */
function target({ opcode, operands = "" }) {
  const to = /^(BRA|CALL)\b/.test(opcode) && operands.match(/0x([0-9a-f]+)$/)?.[1];
  return to ? Number.parseInt(to, 16) / instructionBytes : undefined;
}

/** Whether control may go on to the next instruction. */
function fallsThrough(instruction) {
  const { predicate, opcode, operands = "" } = instruction;
  const conditional = predicate !== undefined || operands.includes(",") || /^BRA\.DIV\b/.test(opcode);
  return conditional || !(target(instruction) !== undefined || /^(BRA|EXIT|RET|BRX)\b/.test(opcode));
}

/** A function that ptxas keeps out of the line: a root, quotient or remainder of special operands. */
export function isCall(instruction) {
  return instruction.opcode.startsWith("CALL") && target(instruction) === undefined;
}

/** Basic blocks in the order of the code: { start, code, next }, where `next` are indices of blocks. */
export function basicBlocks(code) {
  const leaders = new Set([0]);
  code.forEach((instruction, i) => {
    const to = target(instruction);
    if (to !== undefined) leaders.add(to);
    if (/^(BRA|EXIT|RET|BRX|CALL)\b/.test(instruction.opcode)) leaders.add(i + 1);
  });
  const starts = [...leaders].filter((i) => i < code.length).sort((a, b) => a - b);
  const at = new Map(starts.map((start, index) => [start, index]));
  return starts.map((start, index) => {
    const end = starts[index + 1] ?? code.length;
    const last = code[end - 1];
    const next = [target(last), fallsThrough(last) && end < code.length ? end : undefined];
    return { start, code: code.slice(start, end), next: next.filter((i) => i !== undefined).map((i) => at.get(i)) };
  });
}

/** Every node that can be reached from `from` along `edges`, the start included; `from` and `within` are sets. */
export function reachable(from, edges, within) {
  const found = new Set(from);
  for (const node of found) {
    for (const next of edges(node)) if (within.has(next)) found.add(next);
  }
  return found;
}

/**
 * The loops: { header, latches, body }, `body` a set of blocks. The latches lead back to a header that leads to them.
 */
export function loops(blocks) {
  const previous = blocks.map(() => []);
  const latches = blocks.map(() => []);
  blocks.forEach(({ next }, index) => {
    for (const to of next) {
      previous[to].push(index);
      if (to <= index) latches[to].push(index);
    }
  });
  return [...blocks.keys()].flatMap((header) => {
    const others = new Set(blocks.keys());
    others.delete(header);
    // A jump back to where control also comes from elsewhere is a slow path that was put behind the code.
    const without = header === 0 ? new Set() : reachable(new Set([0]), (i) => blocks[i].next, others);
    const list = latches[header].filter((latch) => !without.has(latch));
    if (list.length === 0) return [];
    const body = reachable(new Set(list), (i) => (i === header ? [] : previous[i]), others);
    return [{ header, latches: list, body: body.add(header) }];
  });
}
