/**
 * The room's public face. In order: prepareForTraining -> an engine simplifies (level "basic") and tells
 * shapes (exposeValues, withShapes) -> buildTrainingStep. Pure: no files, no engine.
 */
export { type AccumulatingStep, buildAccumulatingStep } from './accumulating-step.ts'
export { useBlockedLayout } from './blocked/layout.ts'
export { lastOperator } from './logits.ts'
export type { Loss } from './loss.ts'
export type { Adam, Optimizer, Sgd } from './optimizer.ts'
export {
  type PreparedGraph,
  type PrepareOptions,
  prepareForTraining,
  type TrainableTensor,
} from './prepare.ts'
export type { Loop, Slot, TrainedParameter } from './slots.ts'
export {
  buildTrainingStep,
  type TrainingStep,
  type TrainingStepOptions,
} from './training-step.ts'
export { exposeValues, type ValueShape, withShapes } from './values.ts'
