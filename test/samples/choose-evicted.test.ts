import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseEvicted, type Resident } from '../../runtime/samples/choose-evicted.ts'
import { seededRandom } from '../../runtime/training/random.ts'

const test = suite('samples/choose-evicted')

const resident = (id: number | string, label = 'a', bytes = 1): Resident => ({ id: String(id), label, bytes })
const many = (count: number, label: string, bytes = 1) =>
  Array.from({ length: count }, (_, index) => resident(`${label}${index}`, label, bytes))
const wide = { perLabel: 1000, bytes: 1e9 }
const random = seededRandom(7)

test('nothing goes while there is room', () => {
  assert.equal(
    chooseEvicted([...many(9, 'a'), resident('new')], 'new', { ...wide, perLabel: 10 }, random),
    [],
  )
})

test('a full label gives up one of its own, and of no other', () => {
  const residents = [...many(10, 'a'), ...many(50, 'b'), resident('new')]
  const evicted = chooseEvicted(residents, 'new', { ...wide, perLabel: 10 }, random)
  assert.is(evicted.length, 1)
  assert.match(evicted[0] ?? '', /^a\d$/)
})

test('a quota that was lowered is reached at once', () => {
  const evicted = chooseEvicted([...many(10, 'a'), resident('new')], 'new', { ...wide, perLabel: 4 }, random)
  assert.is(new Set(evicted).size, 7)
  assert.not.ok(evicted.includes('new'))
})

test('nearly as many labels as samples are no obstacle', () => {
  const residents = Array.from({ length: 200_000 }, (_, n) => resident(n, `${n / 7}`))
  assert.is(
    chooseEvicted([...residents, resident('new')], 'new', { ...wide, bytes: 200_000 }, random).length,
    1,
  )
})

test('bytes are taken from the label that has the most samples, and a rare one keeps its own', () => {
  const residents = [...many(10, 'a', 10), ...many(2, 'rare', 100), resident('new', 'rare', 100)]
  const evicted = chooseEvicted(residents, 'new', { ...wide, bytes: 370 }, random)
  assert.is(evicted.length, 3)
  assert.ok(
    evicted.every(id => id.startsWith('a')),
    evicted.join(),
  )
})

test('a new one that alone is over the quota of bytes is kept all the same', () => {
  assert.equal(
    chooseEvicted([resident('old'), resident('new', 'a', 50)], 'new', { ...wide, bytes: 10 }, random),
    ['old'],
  )
})

test('after an early burst and a trickle, both are there: the burst has faded as the formula says', () => {
  const [places, burst, trickle] = [50, 300, 50]
  const counts = Array.from({ length: 100 }, (_, seed) => {
    const random = seededRandom(seed + 1)
    let kept: Resident[] = []
    for (let at = 0; at < burst + trickle; at += 1) {
      const id = `${at < burst ? 'early' : 'late'}${at}`
      kept.push(resident(id))
      const gone = chooseEvicted(kept, id, { ...wide, perLabel: places }, random)
      kept = kept.filter(({ id }) => !gone.includes(id))
    }
    assert.is(kept.length, places)
    return kept.filter(({ id }) => id.startsWith('early')).length
  })
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  // The newcomer is never evicted itself, so each other goes with probability 1 / places.
  const expected = places * (1 - 1 / places) ** trickle
  assert.ok(Math.abs(mean - expected) < 1.5, `${mean}, expected about ${expected}`)
})

test.run()
