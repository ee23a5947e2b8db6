/** The variables of the optimizer in an HDF5 file that Keras wrote. */

import { CheckpointError } from "./errors.js";
import type { H5Process, H5Variable } from "./h5-process.js";
import { innerGroup, ownGroup } from "./keras-layout.js";

export interface KerasVariables {
  readonly own: readonly H5Variable[];
  /** The inner optimizer's, where a loss scaler is around it. */
  readonly inner: readonly H5Variable[] | null;
}

/** What the files of Keras 2 have at their root, which Keras 3 still writes where a model is saved as `.h5`. */
const legacyGroup = "model_weights";

/**
 * @param path what errors call the file
 * @param file where it is
 * @param mostBytes of the variables together
 * @throws CHECKPOINT where there are none
 */
export async function readVariables(
  library: H5Process,
  path: string,
  file: string,
  mostBytes: number,
): Promise<KerasVariables> {
  const [own, inner = null] = await library.read(file, [ownGroup, innerGroup], mostBytes);
  if (own) return { own, inner };
  if ((await library.list(file)).includes(legacyGroup)) {
    throw new CheckpointError(path, "Keras' legacy HDF5 model format is not supported: save as .keras or .weights.h5");
  }
  throw new CheckpointError(path, "the model was saved without an optimizer", { key: ownGroup });
}
