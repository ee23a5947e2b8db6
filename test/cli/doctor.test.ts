import { expect } from "chai";
import { explainNoGpu, type NvidiaFacts } from "../../lib/cli/nvidia.js";
import { devices } from "../../lib/index.js";
import { cli, cliJson } from "./cli.js";

interface Diagnosis {
  readonly healthy: boolean;
  readonly binaries: { file: string; failure?: string }[];
  readonly devices: { name: string; available: boolean; check: string }[];
}

describe("doctor", () => {
  it("tries every device that is available and finds equal bits", async () => {
    const diagnosis = await cliJson<Diagnosis>("doctor");
    expect(diagnosis.healthy).to.equal(true);
    const expected = devices().map(({ name, available }) => ({ name, check: available ? "equal bits" : "missing" }));
    expect(diagnosis.devices.map(({ name, check }) => ({ name, check }))).to.deep.equal(expected);
    expect(diagnosis.binaries.filter(({ failure }) => failure === undefined)).to.have.length(1);
  });

  it("with an addon that cannot be loaded still answers, and ends with 3", async () => {
    const { status, stdout } = await cli(["doctor"], { FUSED_ADAMW_BINDING: import.meta.filename });
    expect(status).to.equal(3);
    expect(stdout)
      .to.contain(import.meta.filename)
      .and.contain("npx fused-adamw build")
      .and.contain("cpu")
      .and.contain("Unset FUSED_ADAMW_BINDING")
      // There is no build to say it of.
      .and.not.contain("This build");
  });

  it("lists the variables that change what happens", async () => {
    const { stdout } = await cli(["doctor"], { FUSED_ADAMW_THREADS: "1" });
    expect(stdout).to.match(/FUSED_ADAMW_THREADS +1/);
  });

  const whole: NvidiaFacts = {
    kernelDriver: "NVRM version: 570.86",
    pciDevices: 1,
    deviceFiles: 1,
    userDriver: true,
    gpus: ["NVIDIA H100"],
    visibleDevices: undefined,
  };
  const causes: [what: string, facts: Partial<NvidiaFacts>, sentence: string][] = [
    ["no GPU", { kernelDriver: undefined, gpus: [], pciDevices: 0, userDriver: false }, "has no NVIDIA GPU"],
    ["no driver", { kernelDriver: undefined, gpus: [], userDriver: false }, "install the driver"],
    ["a container without the GPU", { deviceFiles: 0, gpus: [] }, "--gpus all"],
    ["a container without the driver's library", { userDriver: false }, "NVIDIA_DRIVER_CAPABILITIES"],
    ["a hidden GPU", { visibleDevices: "-1" }, 'CUDA_VISIBLE_DEVICES="-1" hides every GPU'],
    ["an empty list of visible GPUs", { visibleDevices: "" }, "hides every GPU"],
  ];
  for (const [what, facts, sentence] of causes) {
    it(`tells ${what} from the other causes`, () => {
      const sentences = explainNoGpu({ ...whole, ...facts });
      expect(sentences).to.have.length(1);
      expect(sentences[0]).to.contain(sentence);
    });
  }

  it("has nothing to say about a machine that has everything", () => {
    expect(explainNoGpu(whole)).to.deep.equal([]);
  });
});
