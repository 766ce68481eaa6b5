/** Immutable deployments: the data that the registry makes, the pool loads and dispatch invokes. */
import { z } from 'zod'
import { functionDescriptionSchema, type retrainingDescriptionSchema } from './definition-schema.ts'

/** What an output of a graph already is: `none` means raw numbers such as logits. */
const activationSchema = z.enum(['softmax', 'sigmoid', 'none'])

/** A layer's input that was made an output: its name, and whether features lie along the second axis, not the last. */
const featuresSchema = z.object({ output: z.string(), pooled: z.boolean() })
export type ExposedOutput = z.output<typeof featuresSchema>

/** What was found about the forms in which threads can open a model. */
const preparedSchema = z.object({
  /** `shared`: all sessions map one file of weights. `plain`: each session has its own. */
  form: z.enum(['shared', 'plain']),
  /** Why this form. */
  why: z.string(),
  /** Of the shared file, or about those of each plain session: the ONNX file's size. */
  weightBytes: z.int(),
  /** Name of what is kept of it under `cache/sessions`; left out when nothing is. */
  entry: z.string().optional(),
  /** For `shared`: absolute path of the folder that has the optimized model. */
  folder: z.string().optional(),
  /** For `shared`: features that the optimized model shows. */
  features: featuresSchema.optional(),
})
export type PreparedModel = z.output<typeof preparedSchema>

export const deployedModelSchema = z.object({
  /** `<function>.<model name>`: the id of its lineage in the model store. */
  id: z.string(),
  /** Content hash of the ONNX file, hexadecimal. */
  sha256: z.string(),
  /** Absolute path of the ONNX file. */
  file: z.string(),
  labels: z.array(z.string()),
  /** Unknown and symbolic dimensions are null. */
  inputs: z.array(z.object({ name: z.string(), type: z.string(), dims: z.array(z.number().nullable()) })),
  outputs: z.array(z.object({ name: z.string(), activation: activationSchema })),
  /** Left out: not prepared, and opened plain. */
  prepared: preparedSchema.optional(),
})
export type DeployedModel = z.output<typeof deployedModelSchema>

export const deploymentSchema = z.object({
  /** Hash of the bundle's and the models' hashes, 16 hexadecimal digits: `x-corun-version`. */
  id: z.string(),
  function: z.string(),
  /** Absolute path of the built module. */
  bundle: z.string(),
  /** SHA-256 of its content, hexadecimal. */
  bundleHash: z.string(),
  description: functionDescriptionSchema,
  models: z.record(z.string(), deployedModelSchema),
  /** Absolute path of the folder for its own data, which may not be there yet. Left out: it has none. */
  dataFolder: z.string().optional(),
})
export type Deployment = z.output<typeof deploymentSchema>

/** Of two versions that are loaded: the one that serves, or the one that is tried on live requests. */
export type Arm = 'current' | 'candidate'

/** A function's retraining as it was built beside a deployment. */
export interface DeployedRetraining {
  function: string
  /** Absolute path of the built `retrain.ts`. */
  bundle: string
  /** Absolute path of the function's folder, which relative paths refer to. */
  folder: string
  description: z.output<typeof retrainingDescriptionSchema>
}
