/** When a manager saves, where, and how. */

import { type Fields, resolveFields } from "../fields.js";
import { integerFrom, isRecord, type Kind, parse, positive } from "../validate.js";
import { type FilePath, pathKind } from "./file-path.js";
import { metadataKind, type SaveOptions } from "./save.js";

export interface CheckpointManagerOptions {
  /** Where the checkpoints are; made when it is missing. */
  folder: FilePath;
  /**
   * Save once so many iterations have passed since the last save. These are updates, and with accumulation one of
   * several steps.
   */
  everySteps?: number | undefined;
  /** Save once so many minutes have passed since the last save. */
  everyMinutes?: number | undefined;
  /** How many checkpoints to keep. @default 3 */
  keep?: number;
  /** Options of every save; the parameters are saved too unless `parameters: false` is among them. @default {} */
  save?: SaveOptions;
}

/** What is said of one save. */
export interface ManagedSaveOptions {
  /**
   * For the report of `resume`, beside that of the options of every save: a position in the data, an epoch.
   * @default {}
   */
  metadata?: Readonly<Record<string, string>>;
}

/** The other options are checked by every save. */
const saveOptions: Kind<SaveOptions> = {
  expected: "an object",
  accepts: isRecord,
  copy: ({ metadata = {}, ...others }, name) => ({
    ...others,
    metadata: parse(metadataKind, metadata, `${name}.metadata`),
  }),
};

const defaultKeep = 3;

const fields: Fields<CheckpointManagerOptions> = {
  folder: { key: "folder", kind: pathKind },
  everySteps: { key: "every_steps", kind: integerFrom(1), default: undefined },
  everyMinutes: { key: "every_minutes", kind: positive, default: undefined },
  keep: { key: "keep", kind: integerFrom(1), default: defaultKeep },
  save: { key: "save", kind: saveOptions, default: {} },
};

const managedSaveFields: Fields<ManagedSaveOptions> = {
  metadata: { key: "metadata", kind: metadataKind, default: {} },
};

export type ResolvedManagerOptions = CheckpointManagerOptions &
  Required<Pick<CheckpointManagerOptions, "keep" | "save">> & { readonly folder: string };

export type Metadata = Readonly<Record<string, string>>;

/** @throws INVALID_ARGUMENT */
export function resolveManagerOptions(options: CheckpointManagerOptions): ResolvedManagerOptions {
  return resolveFields(fields, options, "the options of CheckpointManager") as ResolvedManagerOptions;
}

/** The metadata in the options of one save. @throws INVALID_ARGUMENT */
export function parseManagedSave(options: ManagedSaveOptions, method: string): Metadata {
  return resolveFields(managedSaveFields, options, `the options of ${method}`).metadata ?? {};
}

/** For console.log: the folder, and what is not the default. */
export function shownOptions({ folder, keep, save, ...when }: ResolvedManagerOptions): object {
  const { metadata = {}, ...others } = save;
  const shownSave = { ...others, ...(Object.keys(metadata).length > 0 && { metadata }) };
  return {
    folder,
    ...Object.fromEntries(Object.entries(when).filter(([, value]) => value !== undefined)),
    ...(keep !== defaultKeep && { keep }),
    ...(Object.keys(shownSave).length > 0 && { save: shownSave }),
  };
}
