/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The public names of fused-adamw.
 *
 * @example
 * const weights = new Float32Array([1, 2, 3]);
 * const optimizer = new AdamW({ learningRate: 1e-3, weightDecay: 0.01, globalClipnorm: 1 });
 * optimizer.build([{ name: "weights", value: weights }]);
 * optimizer.apply([new Float32Array([0.1, -0.2, 0.3])]); // weights changed in place
 */

export { AdamW } from "./adamw.js";
export { type DeviceInfo, devices, type RuntimeOptions } from "./device.js";
export { DeviceBuffer } from "./device-buffer.js";
export type { DType, HostArray } from "./dtypes.js";
export { AdamWError, type ErrorCode, errorCodes } from "./errors.js";
export type { ParameterReference, WeightDecayExclusions } from "./exclusions.js";
export type { CudaArray, CudaArrayInterface, ForeignMemory, SharedMemory } from "./foreign-memory.js";
export type { Gradients } from "./gradients.js";
export type { GroupMatch, ParameterGroup } from "./groups.js";
export { kerasJson } from "./keras-json.js";
export type { CustomObjects, SerializedObject } from "./keras-object.js";
export { LossScaleOptimizer } from "./loss-scale-optimizer.js";
export type { LossScaleOptions } from "./loss-scale-options.js";
export type { TensorMemory } from "./memory.js";
export { type AllocateOptions, Device, openDevice } from "./open-device.js";
export type { AdamWOptions, LearningRate } from "./options.js";
export type { Parameter, ParameterInit } from "./parameters.js";
export type { OptimizerPlan, PlannedParameter } from "./plan.js";
export type { Rebinding } from "./rebinding.js";
export * as schedules from "./schedules/index.js";
export { isSchedule, type LearningRateSchedule } from "./schedules/schedule.js";
export { type DeserializeOptions, deserialize, serialize } from "./serialize.js";
export type { Progress } from "./state/checkpoint.js";
export { CheckpointError } from "./state/errors.js";
export type { FilePath } from "./state/file-path.js";
export type { LoadOptions, LoadReport } from "./state/load.js";
export {
  CheckpointManager,
  type ResumeReport,
} from "./state/manager.js";
export type { CheckpointManagerOptions, ManagedSaveOptions } from "./state/manager-options.js";
export type { NotLoaded } from "./state/misfits.js";
export type { Rename } from "./state/rename.js";
export type { SaveOptions, SaveReport } from "./state/save.js";
export type { Saveable } from "./state/saveable.js";
export type { AsyncStepOptions, StepOptions } from "./step-options.js";
export type { StepReport } from "./step-report.js";
export { Event, Graph, Stream } from "./stream.js";
export type { Variable } from "./variables.js";
