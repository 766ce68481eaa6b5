/** The public API of function authors: `import { defineFunction, image } from 'corun'`. */
export type {
  AdamOptimizer,
  Classification,
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
  SgdOptimizer,
  Trainable,
} from './core/definition.ts'
export { adam, defineFunction, defineRetraining, image, sgd } from './core/definition.ts'
