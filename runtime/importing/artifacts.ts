/**
 * TensorFlow.js's files as data: `model.json` and the weights beside it. The format is that of
 * tfjs-core/src/io/types.ts (ModelJSON, WeightsManifestEntry) and, for graphs, of NodeDef in TensorFlow's protobuf.
 */
import { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'

const weightSchema = z.object({
  name: z.string(),
  shape: z.array(z.int().min(0)),
  dtype: z.enum(['float32', 'int32', 'bool', 'uint8', 'complex64', 'string']),
  quantization: z
    .object({
      dtype: z.enum(['uint8', 'uint16', 'float16']),
      scale: z.number().optional(),
      min: z.number().optional(),
    })
    .optional(),
})
export type WeightEntry = z.output<typeof weightSchema>

const attributeSchema = z.looseObject({
  i: z.union([z.string(), z.number()]).optional(),
  f: z.union([z.number(), z.string()]).optional(),
  b: z.boolean().optional(),
  /** Base64, or the bytes one by one. */
  s: z.union([z.string(), z.array(z.number())]).optional(),
  type: z.union([z.string(), z.number()]).optional(),
  shape: z
    .object({
      dim: z.array(z.object({ size: z.union([z.string(), z.number()]).optional() })).optional(),
      unknownRank: z.boolean().optional(),
    })
    .optional(),
  list: z
    .looseObject({
      i: z.array(z.union([z.string(), z.number()])).optional(),
      s: z.array(z.union([z.string(), z.array(z.number())])).optional(),
    })
    .optional(),
})
export type GraphAttribute = z.output<typeof attributeSchema>

const graphNodeSchema = z.object({
  name: z.string(),
  op: z.string(),
  input: z.array(z.string()).default([]),
  attr: z.record(z.string(), attributeSchema).default({}),
})
export type GraphNode = z.output<typeof graphNodeSchema>

const layerSchema = z.looseObject({
  class_name: z.string(),
  name: z.string().optional(),
  config: z.looseObject({ name: z.string().optional() }),
  inbound_nodes: z.array(z.unknown()).optional(),
})
export type Layer = z.output<typeof layerSchema>

const tensorReference = z.tuple([z.string(), z.int(), z.int()])
/** Keras writes one reference of a model with a single input without the list around it. */
const tensorReferences = z.union([tensorReference.transform(one => [one]), z.array(tensorReference)])
export const networkConfigSchema = z.union([
  z
    .array(layerSchema)
    .transform(layers => ({ layers, name: undefined, inputs: undefined, outputs: undefined })),
  z
    .looseObject({
      name: z.string().optional(),
      layers: z.array(layerSchema),
      input_layers: tensorReferences.optional(),
      output_layers: tensorReferences.optional(),
    })
    .transform(({ name, layers, input_layers, output_layers }) => ({
      name,
      layers,
      inputs: input_layers,
      outputs: output_layers,
    })),
])
export type NetworkConfig = z.output<typeof networkConfigSchema>

const layersTopology = z.object({ class_name: z.string(), config: networkConfigSchema })

const signatureSchema = z.object({
  outputs: z.record(z.string(), z.object({ name: z.string().optional() })).optional(),
})

const modelSchema = z.object({
  modelTopology: z.union([
    z
      .object({ node: z.array(graphNodeSchema) })
      .transform(({ node }) => ({ kind: 'graph' as const, nodes: node })),
    z
      .object({ model_config: layersTopology })
      .transform(({ model_config }) => ({ kind: 'layers' as const, ...model_config })),
    layersTopology.transform(topology => ({ kind: 'layers' as const, ...topology })),
  ]),
  weightsManifest: z.array(z.object({ paths: z.array(z.string()), weights: z.array(weightSchema) })),
  signature: signatureSchema.nullish(),
  userDefinedMetadata: z.looseObject({ signature: signatureSchema.nullish() }).nullish(),
})
export type ModelArtifacts = z.output<typeof modelSchema>

/** @throws CorunError `invalid-model` for what is no model.json of TensorFlow.js */
export function parseArtifacts(json: unknown): ModelArtifacts {
  const parsed = modelSchema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new CorunError(
    'invalid-model',
    `not a model.json of TensorFlow.js, a layers model or a graph model: ${issuesText(parsed.error)}`,
  )
}
