/** A Keras model becomes an ONNX graph: layer after layer, and models inside of models. */
import { CorunError } from '../core/errors.ts'
import type { Graph } from '../onnx/index.ts'
import { type Layer, type NetworkConfig, networkConfigSchema } from './artifacts.ts'
import { layerKinds } from './layer-kinds.ts'
import { createNetwork, type Network } from './network.ts'
import { unsupported } from './unsupported.ts'
import type { Value } from './value.ts'
import type { Weight } from './weights.ts'

interface Importing {
  net: Network
  weights: ReadonlyMap<string, Weight>
  /** What each layer gives, by its name, those of inner models too. */
  made: Map<string, Value[]>
}

const models = new Set(['Sequential', 'Model', 'Functional'])

/** `wanted`: names of layers that shall be the outputs; those of the model when left out. */
export function importLayers(
  config: NetworkConfig,
  weights: ReadonlyMap<string, Weight>,
  wanted: readonly string[] | undefined,
): Graph {
  const unknown = unknownKinds(config)
  if (unknown.size > 0) throw unsupported([...unknown])
  const importing: Importing = { net: createNetwork(config.name ?? 'keras'), weights, made: new Map() }
  const outputs = importModel(importing, config, undefined)
  if (wanted === undefined) return importing.net.finish(outputs)
  const chosen = wanted.map(name => {
    const value = importing.made.get(name)?.[0]
    if (value !== undefined) return [name, value] as const
    throw new CorunError('invalid-model', `the model has no layer "${name}"`)
  })
  return importing.net.finish(new Map(chosen))
}

function unknownKinds({ layers }: NetworkConfig): Set<string> {
  const kinds = new Set<string>()
  for (const { class_name: kind, config } of layers) {
    if (models.has(kind)) for (const inner of unknownKinds(innerModel(config))) kinds.add(inner)
    else if (kind !== 'InputLayer' && !Object.hasOwn(layerKinds, kind)) kinds.add(kind)
  }
  return kinds
}

/** `given`: the inputs of an inner model; undefined for the model itself, whose inputs are the graph's. */
function importModel(
  importing: Importing,
  model: NetworkConfig,
  given: readonly Value[] | undefined,
): Map<string, Value> {
  const { layers } = model
  const inputNames = model.inputs?.map(([name]) => name) ?? []
  const results = new Map<string, Value[]>()
  let previous: Value | undefined
  for (const layer of layers) {
    const name = nameOf(layer)
    let value: Value
    if (layer.class_name === 'InputLayer') {
      value = given?.[Math.max(0, inputNames.indexOf(name))] ?? inputOf(importing, layer)
    } else {
      // A Sequential model has no references: each layer takes what the one before it gives.
      const references = referencesOf(layer)
      const inputs =
        references?.map(([from, , index]) => valueAt(results, from, index)) ??
        firstInputs(importing, layer, previous ?? given?.[0])
      value = importLayer(importing, layer, inputs)
    }
    results.set(name, [value])
    importing.made.set(name, [value])
    previous = value
  }
  if (model.outputs !== undefined) {
    return new Map(model.outputs.map(([name, , index]) => [name, valueAt(results, name, index)]))
  }
  const last = layers.at(-1)
  if (last === undefined || previous === undefined)
    throw new CorunError('invalid-model', 'the model has no layers')
  return new Map([[nameOf(last), previous]])
}

/** A model that begins another has its own input. */
function firstInputs(importing: Importing, layer: Layer, present: Value | undefined): Value[] {
  if (present !== undefined) return [present]
  return models.has(layer.class_name) ? [] : [inputOf(importing, layer)]
}

function importLayer(importing: Importing, layer: Layer, inputs: readonly Value[]): Value {
  const { net, weights } = importing
  const name = nameOf(layer)
  if (models.has(layer.class_name)) {
    const [output] = importModel(
      importing,
      innerModel(layer.config),
      inputs.length > 0 ? inputs : undefined,
    ).values()
    if (output === undefined) throw new CorunError('invalid-model', `model "${name}" has no output`)
    return output
  }
  const [input] = inputs
  if (input === undefined) throw new CorunError('invalid-model', `layer "${name}" has no input`)
  net.at(name)
  const weight = (key: string) => weightOf(weights, `${name}/${key}`)
  return layerKinds[layer.class_name]?.(net, { name, config: layer.config, inputs, weight }, input) ?? input
}

const innerModel = (config: unknown): NetworkConfig => networkConfigSchema.parse(config)

function nameOf({ name, config, class_name: kind }: Layer): string {
  const found = config.name ?? name
  if (found === undefined) throw new CorunError('invalid-model', `a layer ${kind} has no name`)
  return found
}

function inputOf({ net }: Importing, layer: Layer): Value {
  const shape = layer.config.batch_input_shape ?? layer.config.batch_shape
  if (!Array.isArray(shape)) {
    throw new CorunError('invalid-model', `layer "${nameOf(layer)}" says no shape of its input`)
  }
  const dims = shape.map(dim => (typeof dim === 'number' ? dim : null))
  const name = layer.class_name === 'InputLayer' ? nameOf(layer) : `${nameOf(layer)}_input`
  return net.input(name, dims, layer.config.dtype === 'int32' ? 'int32' : 'float32')
}

/** [layer, node, tensor] of each input, from the first call of this layer. Undefined in a Sequential model. */
function referencesOf(layer: Layer): [string, number, number][] | undefined {
  const calls = layer.inbound_nodes
  if (calls === undefined || calls.length === 0) return undefined
  if (calls.length > 1) throw unsupported([`layer "${nameOf(layer)}" that is called ${calls.length} times`])
  const [call] = calls
  if (!Array.isArray(call)) throw unsupported([`layer "${nameOf(layer)}" in the format of Keras 3`])
  return call.map(reference => {
    const [from, node, index] = Array.isArray(reference) ? reference : []
    if (typeof from === 'string' && node === 0 && typeof index === 'number') return [from, node, index]
    throw unsupported([`layer "${nameOf(layer)}" with the input ${JSON.stringify(reference)}`])
  })
}

function valueAt(results: ReadonlyMap<string, Value[]>, name: string, index: number): Value {
  const value = results.get(name)?.[index]
  if (value === undefined)
    throw new CorunError('invalid-model', `there is no output ${index} of layer "${name}"`)
  return value
}

/** Exporters put the names of outer models before a layer's; the end is unique. */
function weightOf(weights: ReadonlyMap<string, Weight>, name: string): Weight {
  const weight = weights.get(name) ?? [...weights].find(([known]) => known.endsWith(`/${name}`))?.[1]
  if (weight === undefined) throw new CorunError('invalid-model', `the weights have no "${name}"`)
  return weight
}
