import { mkdir, readdir } from "node:fs/promises";
import { expect } from "chai";
import { AdamW, AdamWError } from "../../lib/index.js";
import { fileError } from "../../lib/state/errors.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";

/** As Node makes them. */
function systemError(code: string, said: string, rest: string, path: string) {
  return Object.assign(new Error(`${code}: ${said}, ${rest}`), { code, syscall: "open", path });
}

describe("what the system says about a file", () => {
  const file = temporaryFolder();
  const optimizer = new AdamW().build([{ name: "w", value: new Float32Array(2) }]);

  it("is said with the path that was given, not that of a temporary file", async () => {
    await mkdir(file("folder"));
    const error = await rejectsLater("FILE", optimizer.save(file("folder")));
    expect(error.message).to.equal(`${file("folder")}: it is a folder`);
    expect(await readdir(file("."))).to.deep.equal(["folder"]);
    await rejectsLater("CHECKPOINT", optimizer.load(file("folder")), `${file("folder")}: no checkpoint`);
  });

  it("names the folder in which no file can be written", () => {
    const path = file("state.safetensors");
    const beside = systemError("EACCES", "permission denied", `open '${file(".x.tmp")}'`, file(".x.tmp"));
    const error = fileError(path, beside) as AdamWError;
    expect(error).to.be.instanceOf(AdamWError).with.property("cause", beside);
    expect(error.message).to.equal(
      `${path}: EACCES: permission denied: no file can be written in the folder ${file()}`,
    );
    const itself = systemError("EACCES", "permission denied", `open '${path}'`, path);
    expect((fileError(path, itself) as Error).message).to.equal(`${path}: EACCES: permission denied`);
  });

  it("names the folder in which no folder can be made", () => {
    const path = file("a", "b");
    const refused = systemError("EACCES", "permission denied", `mkdir '${file("a")}'`, file("a"));
    const error = fileError(path, Object.assign(refused, { syscall: "mkdir" })) as Error;
    expect(error.message).to.equal(`${path}: EACCES: permission denied: no folder can be made in ${file()}`);
  });

  it("loses its calls and their paths, however many", () => {
    const path = file("a");
    for (const rest of ["write", `rename '${file("b, c 'd'")}' -> '${path}'`, `open '${file("line\nbreak")}'`]) {
      const error = fileError(path, systemError("ENOSPC", "no space left on device", rest, path));
      expect((error as Error).message).to.equal(`${path}: ENOSPC: no space left on device`);
    }
  });
});
