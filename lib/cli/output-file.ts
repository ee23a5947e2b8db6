/** A file that a command will write once its work is done. */

import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";

/** Before the work: a folder that cannot be written to should not cost minutes. @throws ENOENT, EACCES */
export function checkWritable(path: string): void {
  accessSync(dirname(path), constants.W_OK);
}
