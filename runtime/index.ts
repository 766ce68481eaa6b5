/** The public API of function authors: `import { defineFunction, image } from 'corun'`. */
export type {
  CaptureOptions,
  Classification,
  CorsOptions,
  DriftOptions,
  Feed,
  FetchDefinition,
  FetchHandler,
  FunctionContext,
  FunctionLog,
  HandlerDefinition,
  ImageInput,
  ImageOptions,
  LifecycleContext,
  ModelHandle,
  ModelSpec,
  ScheduleOptions,
  Trigger,
} from './core/definition.ts'
export { defineFunction, image } from './core/definition.ts'
export type {
  AdamOptimizer,
  CanaryOptions,
  Optimizer,
  RetrainingDefinition,
  SgdOptimizer,
  Trainable,
} from './core/retraining-definition.ts'
export { adam, defineRetraining, sgd } from './core/retraining-definition.ts'
