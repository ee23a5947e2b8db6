// The loop of a kernel that moves the memory, and what one round of it holds.
import { basicBlocks, isCall, loops, reachable } from "./code.mjs";

/** Lanes of a multiprocessor per clock (compute capability 9.0), and the instructions that a pipe takes. */
const pipes = {
  fp32: { lanes: 128, takes: /^F(FMA|MUL|ADD)\b/ },
  integer: {
    lanes: 64,
    takes: /^(IMAD|IADD3?|VIADD|VIMNMX|LOP3|PLOP3|SHF|LEA|[IF]SETP|[IF]?SEL|PRMT|MOV|FCHK|[IF]MNMX)\b/,
  },
  special: { lanes: 16, takes: /^(MUFU|F2F|F2I|I2F|FRND)\b/ },
  double: { lanes: 64, takes: /^D(FMA|MUL|ADD|SETP)\b/ },
  memory: { lanes: 32, takes: /^(LDG|STG|LDS|STS|LDL|STL|LD|ST|SHFL)\b/ },
};

/** Lanes that an instruction keeps busy per thread: an access takes one per 4 bytes. */
const weight = (instruction) => Math.max(1, (access(instruction)?.bytes ?? 4) / 4);

/** A global access: { kind: "LDG" or "STG", bytes }, or undefined. */
function access({ opcode }) {
  const [kind, ...modifiers] = opcode.split(".");
  if (kind !== "LDG" && kind !== "STG") return undefined;
  const width = modifiers.find((modifier) => /^[US]?\d+$/.test(modifier)) ?? "32";
  return { kind, bytes: Number(width.replace(/\D/, "")) / 8 };
}

const accesses = (code) => code.map(access).filter((item) => item !== undefined);
const isWide = (code) => accesses(code).some(({ kind, bytes }) => kind === "LDG" && bytes === 16);
/** Not on the fast path: operands that a call takes care of, and elements that are moved singly. */
const isSlow = (code) => code.some(isCall);
const isTail = (code) => accesses(code).some(({ bytes }) => bytes <= 4);

/** The blocks of one round of a loop by its fast path: all that lie on a way through its 16-byte loads. */
function round(blocks, { header, latches, body }) {
  const fast = new Set([...body].filter((i) => !isSlow(blocks[i].code) && !isTail(blocks[i].code)));
  const wide = new Set([...fast].filter((i) => isWide(blocks[i].code)));
  const forward = (i) => blocks[i].next.filter((to) => to !== header);
  const backward = (i) => (i === header ? [] : [...fast].filter((from) => blocks[from].next.includes(i)));
  const ends = new Set(latches.filter((i) => fast.has(i)));
  const closes = reachable(ends, backward, fast);
  const kept = new Set([...reachable(wide, forward, fast), ...reachable(wide, backward, fast)]);
  return [...kept].filter((i) => closes.has(i)).sort((a, b) => a - b);
}

/**
 * What one round of the kernel's hot loop holds: the innermost loop with 16-byte loads that `isHot` accepts.
 * { instructions, perPipe: { fp32, … } in clocks of a multiprocessor, loads, stores, narrow } of one thread; undefined:
 * there is no such loop.
 */
export function hotLoop(code, isHot) {
  const blocks = basicBlocks(code);
  const all = loops(blocks);
  const candidates = all
    .map((loop) => ({ ...loop, round: round(blocks, loop) }))
    .map((loop) => ({ ...loop, code: loop.round.flatMap((i) => blocks[i].code) }))
    .filter((loop) => isWide(loop.code) && isHot(loop.code));
  const hot = candidates.sort((a, b) => a.body.size - b.body.size)[0];
  if (!hot) return undefined;
  if (all.some(({ header }) => header !== hot.header && hot.round.includes(header))) {
    throw new Error("a loop inside the hot loop: its rounds cannot be counted");
  }

  const issued = hot.code.filter(({ opcode }) => opcode !== "NOP");
  const moved = accesses(issued);
  const count = (kind) => moved.filter((item) => item.kind === kind && item.bytes === 16).length;
  return {
    instructions: issued.length,
    perPipe: Object.fromEntries(
      Object.entries(pipes).map(([name, { lanes, takes }]) => {
        const taken = issued.filter(({ opcode }) => takes.test(opcode));
        return [name, taken.reduce((sum, instruction) => sum + weight(instruction), 0) / lanes];
      }),
    ),
    loads: count("LDG"),
    stores: count("STG"),
    narrow: moved.filter(({ bytes }) => bytes < 16).length,
  };
}
