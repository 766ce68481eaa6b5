/** The networks of test/fixtures/networks, ready to use: torchvision's graphs with random weights. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { fillWeights } from './weight-sketch.ts'

export const fixtures = new URL('../../test/fixtures/networks/', import.meta.url)

const entry = z.strictObject({
  /** torchvision's name of it. */
  model: z.string(),
  /** Height and width of the pictures it is checked with; some graphs take others as well. */
  size: z.int(),
  opset: z.int(),
  /** Batch normalization is folded into convolutions: parameters have the exporter's names then. */
  folded: z.boolean().default(false),
  /**
   * Of its weights and pictures. With a few seeds some value falls so close to a kink of an activation that float32
   * takes the other side, PyTorch's as well as ours, or deep networks leave the range of sane losses.
   */
  seed: z.int().default(1),
  /** The network is made for pictures of this size and takes no others. */
  fixedSize: z.boolean().default(false),
})
export type NetworkEntry = z.infer<typeof entry>

/** Every network with a fixture, by name. */
export function listNetworks(): Record<string, NetworkEntry> {
  return z
    .record(z.string(), entry)
    .parse(JSON.parse(readFileSync(new URL('networks.json', fixtures), 'utf8')))
}

export const fixtureOf = (name: string): URL => new URL(`${name}.onnx.gz`, fixtures)

export function networkEntry(name: string): NetworkEntry {
  const networks = listNetworks()
  const entry = networks[name]
  if (entry === undefined)
    throw new RangeError(`no fixture "${name}"; there are ${Object.keys(networks).join(', ')}`)
  return entry
}

/** ONNX bytes: input "input" float32 [N, 3, H, W], output "logits" float32 [N, 1000]. */
export function loadNetwork(name: string, seed = networkEntry(name).seed): Uint8Array {
  return fillWeights(gunzipSync(readFileSync(fixtureOf(name))), seed)
}
