/**
 * Has PyTorch make test/fixtures/networks/NAME.json for the networks that `npm test` compares with, by hand:
 *   node --import tsx scripts/oracle/make-expectations.ts NETWORK...
 * The files go through `npm run format` afterwards.
 */
import { writeFileSync } from 'node:fs'
import { askPyTorch } from './ask-pytorch.ts'
import { type Expectations, expectationsOf } from './expectations.ts'
import { loadNetwork, networkEntry } from './load-network.ts'
import { buildNetworkStep, examplesFor } from './network-step.ts'
import { summarize } from './summary.ts'

const STEPS = 10

/** Large enough that the loss falls clearly in ten steps, small enough that it falls smoothly. */
const RATES = { sgd: 0.01, adam: 1e-4 }

for (const name of process.argv.slice(2)) {
  const network = networkEntry(name)
  const bytes = loadNetwork(name)
  const { step } = await buildNetworkStep(bytes, network.size, { kind: 'sgd' })
  const { loss, float32Errors, curves, gradients } = askPyTorch({
    network,
    bytes,
    examples: examplesFor(network.size, network.seed),
    parameters: step.parameters,
    curves: {
      sgd: { learningRate: RATES.sgd, steps: STEPS },
      adam: { learningRate: RATES.adam, steps: STEPS },
    },
  })
  const curve = (kind: keyof typeof RATES) => ({
    learningRate: RATES[kind],
    losses: (curves[kind] ?? []).map(rounded),
  })
  const expectations: Expectations = {
    loss: rounded(loss),
    float32Error: Number(Math.max(...Object.values(float32Errors)).toPrecision(2)),
    curves: { sgd: curve('sgd'), adam: curve('adam') },
    gradients: Object.fromEntries(
      [...gradients].map(([parameter, gradient]) => {
        const [norm, largest, signed] = summarize(parameter, gradient)
        return [parameter, [rounded(norm), rounded(largest), rounded(signed)]]
      }),
    ),
  }
  writeFileSync(expectationsOf(name), `${JSON.stringify(expectations, null, 2)}\n`)
  console.log(name, 'sgd', expectations.curves.sgd.losses, 'adam', expectations.curves.adam.losses)
}

function rounded(value: number): number {
  return Number(value.toPrecision(9))
}
