/**
 * Compares the gradients of fixture networks, all parameters trained, with PyTorch's in float64, by hand:
 *   node --import tsx scripts/oracle/check.ts [NETWORK[:SEED]...]
 * A gradient's error is its largest difference, relative to the tensor's largest entry; the table has the worst
 * tensor of each network, and beside it that of PyTorch's own float32. Exit code 1 when one is over the bound.
 */
import { CorunError } from '../../runtime/core/errors.ts'
import { askPyTorch } from './ask-pytorch.ts'
import { listNetworks, loadNetwork, networkEntry } from './load-network.ts'
import { buildNetworkStep, examplesFor, runSteps } from './network-step.ts'

const BOUND = 1e-5

async function check(asked: string) {
  const [name = '', given] = asked.split(':')
  const network = networkEntry(name)
  const seed = given === undefined ? network.seed : Number(given)
  const bytes = loadNetwork(name, seed)
  const examples = examplesFor(network.size, seed)
  const started = performance.now()
  const built = await buildNetworkStep(bytes, network.size, { kind: 'sgd' })
  const buildMs = performance.now() - started
  const { losses, gradients } = await runSteps(built, examples, { count: 1, learningRate: 0 })
  const answer = askPyTorch({ network, bytes, examples, parameters: built.step.parameters })
  const errors = built.step.parameters.map(({ name }) => ({
    name,
    ours: relativeError(gradients.get(name), answer.gradients.get(name)),
    float32: answer.float32Errors[name] ?? NaN,
  }))
  const worst = errors.reduce((a, b) => (b.ours > a.ours ? b : a))
  return {
    parameters: errors.length,
    'build ms': Math.round(buildMs),
    loss: answer.loss.toFixed(4),
    'loss error': Math.abs((losses[0] ?? NaN) - answer.loss).toExponential(1),
    ours: worst.ours.toExponential(1),
    'PyTorch float32': Math.max(...errors.map(({ float32 }) => float32)).toExponential(1),
    'worst tensor': `${worst.name} (${worst.float32.toExponential(1)})`,
    over: errors.filter(({ ours }) => !(ours <= BOUND)).length,
  }
}

function relativeError(ours: Float32Array | undefined, right: Float64Array | undefined): number {
  if (!ours || ours.length !== right?.length) return NaN
  let [difference, largest] = [0, 0]
  for (const [index, value] of right.entries()) {
    difference = Math.max(difference, Math.abs(value - (ours[index] ?? NaN)))
    largest = Math.max(largest, Math.abs(value))
  }
  return difference / Math.max(largest, Number.MIN_VALUE) // a gradient may be zero everywhere
}

/** Where batch normalization is folded away, the parameters are not PyTorch's. */
function unfolded(): string[] {
  return Object.entries(listNetworks()).flatMap(([name, { folded }]) => (folded ? [] : [name]))
}

const names = process.argv.slice(2)
const table: Record<string, Record<string, string | number>> = {}
for (const name of names.length > 0 ? names : unfolded()) {
  table[name] = await check(name).catch((error: unknown) => {
    if (error instanceof CorunError) return { over: 1, refused: error.message }
    throw error
  })
  console.error(name, JSON.stringify(table[name]))
}
console.table(table)
process.exitCode = Object.values(table).some(({ over }) => over !== 0) ? 1 : 0
