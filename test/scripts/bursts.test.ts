import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { burstTimes, minuteRates } from '../../scripts/bench/bursts.ts'
import { randomFrom } from '../../scripts/pictures/random.ts'

const test = suite('scripts/bursts')

const uniform = (seed: number) => {
  const random = randomFrom(seed, 'bursts')
  return () => random.between(0, 1)
}
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const days = minuteRates(7 * 1440, { mean: 100, random: uniform(1) })

test('a seed gives the same minutes again, another one others', () => {
  assert.equal(
    minuteRates(30, { mean: 9, random: uniform(3) }),
    minuteRates(30, { mean: 9, random: uniform(3) }),
  )
  assert.not.equal(
    minuteRates(30, { mean: 9, random: uniform(3) }),
    minuteRates(30, { mean: 9, random: uniform(4) }),
  )
})

test('a minute is like the one before, unlike one an hour away, and the mean is near what was asked', () => {
  const away = (lag: number) =>
    mean(days.slice(lag).map((rate, minute) => Math.abs(Math.log(rate / (days[minute] ?? Number.NaN)))))
  assert.ok(away(1) < 0.75 * away(61), `${away(1)} and ${away(61)}`)
  assert.ok(mean(days) > 90 && mean(days) < 140, `mean ${mean(days)}`)
})

test('timers fire on the hour, and noon is busier than midnight', () => {
  const at = (wanted: (minute: number) => boolean) => median(days.filter((_, minute) => wanted(minute)))
  const plain = (minute: number) => minute % 5 !== 0
  assert.ok(at(minute => minute % 60 === 0) > 2 * at(plain))
  const hour = (minute: number) => Math.floor((minute % 1440) / 60)
  assert.ok(
    at(minute => plain(minute) && hour(minute) === 12) >
      1.4 * at(minute => plain(minute) && hour(minute) === 0),
  )
})

test('arrivals ascend, and each minute has about as many as its rate says', () => {
  const times = [...burstTimes([1000, 10, 2000], { minuteMs: 500, random: uniform(5) })]
  assert.equal(
    times,
    [...times].sort((a, b) => a - b),
  )
  const counts = [0, 1, 2].map(minute => times.filter(time => Math.floor(time / 500) === minute).length)
  // Five standard deviations of a Poisson count.
  for (const [minute, rate] of [1000, 10, 2000].entries()) {
    assert.ok(Math.abs((counts[minute] ?? 0) - rate) < 5 * Math.sqrt(rate), `${counts}`)
  }
})

test.run()
