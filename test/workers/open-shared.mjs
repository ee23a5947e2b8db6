// Another process: opens the buffer that it is sent, says what is in it, and doubles it.
import { DeviceBuffer } from "../../dist/index.js";

process.on("message", (shared) => {
  const buffer = DeviceBuffer.open(shared);
  const values = [...buffer.read()];
  buffer.write(Float32Array.from(values, (x) => 2 * x));
  buffer.dispose();
  process.send(values, () => process.disconnect());
});
