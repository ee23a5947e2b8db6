// The counts as text for a terminal, and as the tables of docs/cuda.md.

const percent = (share) => `${(100 * share).toFixed(0)} %`;

const columns = [
  ["kernel", ({ kernel }) => kernel],
  ["streams", ({ set, counts }) => counts && (set.join(", ") || "plain")],
  ["registers", ({ registers }) => registers],
  ["loads", ({ counts }) => counts?.loads],
  ["stores", ({ counts }) => counts?.stores],
  ["bytes", ({ counts }) => counts?.bytes],
  ["instructions", ({ counts }) => counts?.perElement.toFixed(1)],
  ...["issue", "fp32", "integer", "special", "double", "memory"].map((pipe) => [
    pipe,
    ({ counts }) => counts && percent(counts.shares[pipe]),
  ]),
];
const titles = columns.map(([title]) => title);
const cells = (kernels) => kernels.map((kernel) => columns.map(([, cell]) => `${cell(kernel) ?? ""}`));

export function renderText(kernels) {
  const rows = [titles, ...cells(kernels)];
  const widths = titles.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const line = (row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

const markdown = (rows) =>
  [rows[0], rows[0].map(() => "---"), ...rows.slice(1)].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** The smallest and the largest of a number over some kernels. */
function range(kernels, kernel, number) {
  const numbers = kernels.filter((item) => item.kernel === kernel).map(number);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return least === most ? `${least}` : `${least} to ${most}`;
}

/** `results`: architecture → its kernels. The first table is that of 9.0, whose memory's time the shares are of. */
export function renderDocs(results) {
  const moving = results.get("90").filter(({ kernel }) => kernel === "update" || kernel === "norms");
  const registers = ({ registers }) => registers;
  const instructions = ({ counts }) => Number(counts.perElement.toFixed(1));
  const rows = [...results].map(([architecture, kernels]) => [
    architecture.replace(/(\d)$/, ".$1"),
    range(kernels, "update", registers),
    range(kernels, "update", instructions),
    range(kernels, "norms", registers),
    range(kernels, "norms", instructions),
    range(kernels, "prologue", registers),
  ]);
  const heads = ["architecture", "registers of update", "instructions", "of norms", "instructions", "of prologue"];
  return `${markdown([titles, ...cells(moving)])}\n\n${markdown([heads, ...rows])}`;
}
