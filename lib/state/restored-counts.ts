/** The state that is not slots or parameters, as a checkpoint has it: counts, loss scale, learning rate. */

import { accumulationSteps } from "../hyper.js";
import { integerFrom, type Kind, nonNegativeFloat32 } from "../validate.js";
import type { Checkpoint } from "./checkpoint.js";
import { readCount } from "./counts.js";
import { CheckpointError } from "./errors.js";
import type { Transfer } from "./load-plan.js";
import { stepName } from "./names.js";
import type { OptimizerState } from "./optimizer-state.js";
import { PieceReader } from "./pieces.js";
import { verifyTensor } from "./verify.js";

export interface RestoredCounts {
  readonly steps: number;
  readonly skippedSteps: number;
  readonly consecutiveSkips: number;
  readonly scaling: { readonly lossScale: number; readonly growthCounter: number } | undefined;
  readonly updates: Float64Array;
  readonly learningRate: number | null;
}

/** @throws CHECKPOINT for everything that could be wrong with them */
export async function verifyCounts(
  state: OptimizerState,
  checkpoint: Checkpoint,
  transfers: readonly Transfer[],
): Promise<RestoredCounts> {
  const { engine } = state;
  const reader = new PieceReader();
  const updates = engine.updates;
  for (const { tensor, parameter, slot } of transfers) {
    if (slot !== stepName) continue;
    await verifyTensor(checkpoint.path, tensor, reader);
    updates[engine.trained.indexOf(parameter)] = await readCount(checkpoint.path, tensor);
  }
  return readCounts(state, checkpoint, updates);
}

const count = integerFrom(0);

function readCounts(state: OptimizerState, checkpoint: Checkpoint, updates: Float64Array): RestoredCounts {
  const { path, counters, learningRate, optimizer, isConfigPartial = false, hasLossScale } = checkpoint;
  const read = <T extends string>(kind: Kind<number>, key: T, value: number | undefined, missing: number) => {
    if (value !== undefined && !kind.accepts(value))
      throw new CheckpointError(path, `expected ${kind.expected}`, { key });
    return value ?? missing;
  };
  // Formats without a count of calls have counts of updates only.
  const calls = updates.reduce((a, b) => Math.max(a, b), 0) * accumulationSteps(state.options);
  const maybeScaled = optimizer === null || isConfigPartial || optimizer.class_name === "LossScaleOptimizer";
  const own = state.engine.counters;
  return {
    steps: read(count, "steps", counters.steps, calls),
    skippedSteps: read(count, "skippedSteps", counters.skippedSteps, 0),
    consecutiveSkips: read(count, "consecutiveSkips", counters.consecutiveSkips, 0),
    scaling:
      state.lossScale && (hasLossScale ?? maybeScaled)
        ? {
            lossScale: read(state.lossScale, "lossScale", counters.lossScale, own.lossScale),
            growthCounter: read(count, "growthCounter", counters.growthCounter, 0),
          }
        : undefined,
    updates,
    learningRate: learningRate === null ? null : read(nonNegativeFloat32, "learning_rate", learningRate, 0),
  };
}

/** What cannot fail any more. */
export function restoreCounts(
  state: OptimizerState,
  { scaling, updates, learningRate, ...counts }: RestoredCounts,
): void {
  const { engine } = state;
  engine.counters = { ...engine.counters, ...counts, ...scaling };
  engine.updates = updates;
  if (learningRate !== null && state.learningRate() !== null) state.setLearningRate(learningRate);
  engine.mend();
}
