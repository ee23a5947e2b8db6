import { chmod, link, mkdir, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname } from "node:path";
import { expect } from "chai";
import { AtomicFile } from "../../lib/state/atomic-file.js";
import { rotate } from "../../lib/state/rotation.js";
import { forgetTemporary, temporaryFor } from "../../lib/state/temporaries.js";
import { temporaryFolder } from "../temporary.js";
import { rejectsLater } from "./rejects-later.js";

const write = (path: string, text: string, beforeRename?: () => Promise<void>) =>
  AtomicFile.write(path, (file) => file.write(Buffer.from(text), 0), beforeRename);

describe("a file that appears whole or not at all", () => {
  const file = temporaryFolder();

  it("keeps the permissions of the one it replaces, whatever the mask", async function () {
    if (process.platform === "win32") {
      console.log("      skipped: Windows has no such permissions");
      this.skip();
    }
    const path = file("mode");
    await write(path, "old");
    for (const mode of [0o600, 0o666]) {
      await chmod(path, mode);
      await write(path, `mode ${mode}`);
      expect((await stat(path)).mode & 0o777).to.equal(mode);
    }
  });

  it("replaces what a symbolic link points at, and leaves the link", async function () {
    if (process.platform === "win32") {
      console.log("      skipped: Windows makes no links unasked");
      this.skip();
    }
    await mkdir(file("elsewhere"));
    await symlink("elsewhere/target", file("link"));
    for (const text of ["made", "replaced"]) {
      await write(file("link"), text, () => rotate(file("link"), 2));
      expect(await readlink(file("link"))).to.equal("elsewhere/target");
      expect(await readFile(file("elsewhere/target"), "utf8")).to.equal(text);
    }
    expect(await readFile(file("link.1"), "utf8"), "kept beside the link").to.equal("made");
    await symlink("loop", file("loop"));
    await rejectsLater("FILE", write(file("loop"), "never"), "ELOOP");
  });

  it("is kept once when the save before made room for it and got no further", async () => {
    await mkdir(file("kept"));
    const path = file("kept", "a");
    await writeFile(path, "two");
    await writeFile(`${path}.2`, "one");
    await link(path, `${path}.1`);
    for (const text of ["three", "four"]) await write(path, text, () => rotate(path, 3));
    const names = ["a", "a.1", "a.2"];
    expect((await readdir(file("kept"))).sort()).to.deep.equal(names);
    const texts = await Promise.all(names.map((name) => readFile(file("kept", name), "utf8")));
    expect(texts).to.deep.equal(["four", "three", "two"]);
  });

  it("never writes into the one that is kept", async () => {
    await mkdir(file("inode"));
    const path = file("inode", "a");
    await writeFile(path, "one");
    await link(path, `${path}.1`);
    await rotate(path, 2);
    await write(path, "two");
    const kept = await stat(`${path}.1`);
    await rotate(path, 2);
    expect((await stat(`${path}.1`)).ino, "another file in its place").to.not.equal(kept.ino);
    expect(await readdir(file("inode"))).to.have.members(["a", "a.1"]);
  });

  describe("what crashed writers left", () => {
    const minute = 60_000;
    const hour = 60 * minute;
    let count = 0;

    /** Whether the next write removes a temporary file of that writer and age. */
    async function isRemoved(pid: number, age: number, host?: string): Promise<boolean> {
      count += 1;
      const path = file(`left-${count}`);
      const made = temporaryFor(path);
      forgetTemporary(made);
      const [, itsHost = ""] = /\.([0-9a-f]{8})\.\d+\.[0-9a-f]{8}\.tmp$/.exec(made) ?? [];
      const left = made.replace(`.${itsHost}.${process.pid}.`, `.${host ?? itsHost}.${pid}.`);
      await writeFile(left, "half");
      const then = new Date(Date.now() - age);
      await utimes(left, then, then);
      await write(path, "whole");
      return !(await readdir(dirname(left))).includes(basename(left));
    }

    it("is removed, under this process' own number too", async () => {
      const gone = 2 ** 22 + 1;
      const beforeThisProcess = process.uptime() * 1000 + 2 * minute;
      expect(await isRemoved(gone, 2 * minute)).to.equal(true);
      expect(await isRemoved(process.pid, beforeThisProcess)).to.equal(true);
      expect(await isRemoved(process.ppid, 2 * hour), "a number that was given again").to.equal(true);
      expect(await isRemoved(gone, 2 * hour, "00000000"), "on another host").to.equal(true);
    });

    it("is left while its writer may be at work", async () => {
      expect(await isRemoved(2 ** 22 + 1, 0)).to.equal(false);
      expect(await isRemoved(process.ppid, 2 * minute)).to.equal(false);
      expect(await isRemoved(2 ** 22 + 1, 2 * minute, "00000000"), "on another host").to.equal(false);
    });

    it("is never one that this process is writing", async () => {
      const path = file("own");
      await AtomicFile.write(path, async (first) => {
        await first.write(Buffer.from("first"), 0);
        const [own = ""] = (await readdir(dirname(path))).filter((name) => name.startsWith(".own."));
        expect(own).to.not.include(hostname());
        await utimes(file(own), new Date(0), new Date(0));
        await write(path, "second");
        expect(await readdir(dirname(path))).to.include(own);
      });
      expect(await readFile(path, "utf8")).to.equal("first");
    });
  });
});
