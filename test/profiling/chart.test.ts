import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chartSvg, niceTop, ticks } from '../../runtime/profiling/chart.ts'

const test = suite('profiling/chart')

const tops: [number, number][] = [
  [0, 1],
  [Number.NaN, 1],
  [0.07, 0.08],
  [1, 1],
  [9.9, 10],
  [101, 150],
  [437, 500],
]
for (const [most, top] of tops) {
  test(`an axis for ${most} ends at ${top}`, () => assert.is(Number(niceTop(most).toPrecision(6)), top))
}

test('ticks are round and go from nothing to the top', () => {
  assert.equal(ticks(10), [0, 2, 4, 6, 8, 10])
  assert.equal(ticks(0.5), [0, 0.1, 0.2, 0.3, 0.4, 0.5])
})

const chart = {
  title: 'Speed & <more>',
  x: 'concurrency',
  y: 'per second',
  series: [{ name: 'alone', style: 'a', points: [1, 2, 4].map(x => ({ x, y: x * 10 })) }],
}

test('a chart is well-formed, names its axes and its series, and escapes what it is given', () => {
  const svg = chartSvg(chart)
  assert.match(svg, /Speed &#38; &#60;more&#62;/)
  for (const text of ['concurrency', 'per second', 'alone']) assert.ok(svg.includes(`>${text}<`), text)
  const opened = [...svg.matchAll(/<(\w+)[^>]*?(\/?)>/g)].filter(([, , closed]) => closed === '')
  assert.is(opened.length, [...svg.matchAll(/<\/\w+>/g)].length)
})

test('more is higher, and further right', () => {
  const dots = [...chartSvg(chart).matchAll(/<circle class="dot a" cx="([\d.]+)" cy="([\d.]+)"/g)]
  const [x1 = 0, x2 = 0, x4 = 0] = dots.map(dot => Number(dot[1]))
  const [y1 = 0, y2 = 0, y4 = 0] = dots.map(dot => Number(dot[2]))
  assert.ok(Math.abs(x4 - x2 - 2 * (x2 - x1)) < 0.3 && x2 > x1)
  assert.ok(Math.abs(y2 - y4 - 2 * (y1 - y2)) < 0.3 && y1 > y2)
})

test('a chart of a single point, or of none, has no figure that is none', () => {
  for (const points of [[], [{ x: 1, y: 5 }], [{ x: 1, y: 0 }]]) {
    assert.not.match(chartSvg({ ...chart, series: [{ name: 'one', style: 'a', points }] }), /NaN|Infinity/)
  }
})

test.run()
