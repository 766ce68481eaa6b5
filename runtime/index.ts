/** The public API of function authors: `import { defineFunction, image } from 'corun'`. */
export type {
  AdamOptimizer,
  Classification,
  CorsOptions,
  Feed,
  FetchDefinition,
  FetchHandler,
  FunctionContext,
  FunctionLog,
  HandlerDefinition,
  ImageInput,
  ImageOptions,
  ModelHandle,
  ModelSpec,
  Optimizer,
  RetrainingDefinition,
  ScheduleOptions,
  SgdOptimizer,
  Trainable,
  Trigger,
} from './core/definition.ts'
export { adam, defineFunction, defineRetraining, image, sgd } from './core/definition.ts'
