// Prints how well the shipped classifier reads every kind of picture, which is what the drifts were tuned by:
// `node --import tsx scripts/pictures/evaluate.ts [count] [seed]`
import { openClassifier } from './classifier.ts'
import { driftNames } from './drift.ts'
import { makeSet } from './make-set.ts'

const count = Number(process.argv[2] ?? 400)
const seed = Number(process.argv[3] ?? 2)
const classifier = await openClassifier()
for (const fonts of ['printed', 'held-out'] as const) {
  for (const drift of [undefined, ...driftNames]) {
    const pictures = await makeSet({ count, seed, fonts, text: 'held-out', drift })
    const accuracy = await classifier.accuracy(pictures)
    console.log(`${fonts.padEnd(9)} ${(drift ?? 'clean').padEnd(13)} ${accuracy.toFixed(3)}`)
  }
}
await classifier.close()
