import { expect } from "chai";
import { dtypeNames, dtypes } from "../lib/dtypes.js";
import { AdamW, type DType, openDevice } from "../lib/index.js";
import { native } from "../lib/native.js";
import { dtypeOf as storedDtype } from "../lib/state/dtypes.js";
import { rejectsWith } from "./rejects.js";

describe("dtypes", () => {
  it("are those that the addon was compiled for", () => {
    const compiled = native.layouts.flatMap(({ parameter, gradient, state }) => [parameter, gradient, state]);
    expect([...new Set(compiled)].sort()).to.deep.equal([...dtypeNames].sort());
    const layouts = native.layouts.map((layout) => Object.values(layout).join());
    expect(new Set(layouts).size).to.equal(layouts.length);
  });

  it("are each held by an array of their own, which tells them apart, and as wide in files", () => {
    const arrays = dtypeNames.map((name) => dtypes[name].array);
    expect(new Set<unknown>(arrays).size).to.equal(arrays.length);
    for (const name of dtypeNames) {
      const { bytes, array, stored, typestr } = dtypes[name];
      expect(array.BYTES_PER_ELEMENT, name).to.equal(bytes);
      expect(storedDtype(stored)?.bytes, name).to.equal(bytes);
      expect(typestr.slice(2), name).to.equal(`${bytes}`);
    }
  });

  it("decide what a plan takes and how arrays of a device are made", () => {
    const { parameter, gradient, state } = native.layouts[0]!;
    const plan = AdamW.plan({}, [{ name: "a", shape: [3, 5], dtype: parameter }]);
    expect(plan.values).to.equal(15 * dtypes[parameter].bytes);
    expect(plan.gradients).to.equal(15 * dtypes[gradient].bytes);
    expect(plan.state).to.equal(2 * 15 * dtypes[state].bytes);
    const array = openDevice("cpu").allocateHost(7, parameter);
    expect(array).to.be.instanceOf(dtypes[parameter].array).and.have.length(7);
  });

  it("that do not exist are errors that say which do", () => {
    const dtype = "float128" as DType;
    rejectsWith(
      "INVALID_ARGUMENT",
      () => AdamW.plan({}, [{ name: "a", shape: [1], dtype }]),
      "parameters[0].dtype",
      "float32",
    );
    rejectsWith("INVALID_ARGUMENT", () => openDevice("cpu").allocateHost(1, dtype), "dtype", "float32");
  });
});
