import { expect } from "chai";
import { devices } from "../../lib/index.js";
import { cli, cliJson } from "./cli.js";

describe("devices", () => {
  it("lists what the library lists", async () => {
    expect(await cliJson("devices")).to.deep.equal({ devices: devices() });
  });

  it("prints one line per device, the missing ones with their reason", async () => {
    const { status, stdout } = await cli(["devices"]);
    expect(status).to.equal(0);
    const lines = stdout.trimEnd().split("\n").slice(1);
    for (const [i, { name, reason }] of devices().entries()) expect(lines[i]).to.contain(name).and.contain(reason);
  });
});
