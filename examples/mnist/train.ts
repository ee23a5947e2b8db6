/** Trains a classifier of real handwritten digits with tf.train.adam and with AdamW, and compares them: `npm start`. */

import { readOptions, UsageError, usage } from "./options.js";

try {
  const options = readOptions(process.argv.slice(2));
  if (options) {
    // TensorFlow.js takes a second to load, which a misspelt option should not cost.
    const { compare } = await import("./compare.js");
    await compare(options);
  } else {
    console.log(usage);
  }
} catch (error) {
  // Nothing may be left to the process: the wasm backend's handler would print its whole source first.
  console.error(error instanceof UsageError ? `${error.message}\n\n${usage}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
