/** The devices a step can run on. */

import { type DeviceInfo, native } from "./native.js";

export type { DeviceInfo };

/** Where to compute. `kind` alone means the best of that kind, "auto" the best of all. */
export interface RuntimeOptions {
  /** "auto", a kind ("cpu") or a name ("cpu:avx2"). @default "auto" */
  device?: string | undefined;
  /** Threads a step may use, the calling one included. @default FUSED_ADAMW_THREADS, else the available processors */
  threads?: number | undefined;
}

/** Every device this build knows, best first; those this machine lacks say why in `reason`. */
export function devices(): DeviceInfo[] {
  return native.devices();
}
