import sharp from 'sharp'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { randomFrom } from '../../scripts/pictures/random.ts'
import { goodCamera } from '../../scripts/pictures/scene/conditions.ts'
import { cameraDrifts, drifted } from '../../scripts/pictures/scene/drift.ts'
import { aim, makeSceneSet, type SectorName, sectors } from '../../scripts/pictures/scene/make-set.ts'
import { openGallery, type Panorama } from '../../scripts/pictures/scene/panorama.ts'
import { lightOn, type View } from '../../scripts/pictures/scene/view.ts'

const test = suite('scripts/scene-pictures')
const gallery = openGallery()
const degrees = Math.PI / 180
const uses = Object.keys(sectors) as SectorName[] // they are this record's own

/** Light where `shines` says so, by the angle to the right and the angle above the horizon. */
function panorama(shines: (yaw: number, pitch: number) => boolean): Panorama {
  const [width, height] = [720, 360]
  const light = new Float32Array(width * height * 3)
  for (let at = 0; at < width * height; at += 1) {
    const yaw = (((at % width) + 0.5) / width) * 2 * Math.PI
    const pitch = (0.5 - (Math.floor(at / width) + 0.5) / height) * Math.PI
    if (shines(yaw, pitch)) light.fill(1, at * 3, at * 3 + 3)
  }
  return { width, height, light }
}

for (const use of uses) {
  test(`no view for ${use} sees a pixel that is outside of its sectors, however the camera hangs`, () => {
    const inside = (yaw: number) =>
      sectors[use].some(({ start, size }) => (yaw - start + 4 * Math.PI) % (2 * Math.PI) < size)
    const elsewhere = panorama(yaw => !inside(yaw))
    for (const drift of [undefined, ...cameraDrifts]) {
      for (let seed = 0; seed < 6; seed += 1) {
        const random = randomFrom(seed, `${use} ${drift}`)
        const view = aim(drifted(goodCamera(random), drift, random), use, random)
        const small = { ...view, width: 56, height: 42 }
        assert.is(Math.max(...lightOn(elsewhere, small)), 0, `${drift} ${seed}`)
      }
    }
  })
}

test('sectors of two uses share no direction', () => {
  const all = uses.flatMap(use => sectors[use].map(sector => ({ ...sector })))
  assert.ok(Math.abs(all.reduce((sum, { size }) => sum + size, 0) - 2 * Math.PI) < 1e-9)
  const ends = all.map(({ start, size }) => Math.round(((start + size) / degrees) % 360)).sort()
  assert.equal(all.map(({ start }) => Math.round(start / degrees)).sort(), ends)
})

test('a view is upright, turns to the right, and hangs as its camera does', () => {
  const view: View = {
    width: 40,
    height: 30,
    fieldOfView: 60 * degrees,
    yaw: 90 * degrees,
    pitch: 0,
    roll: 0,
  }
  const sky = panorama((_, pitch) => pitch > 0)
  const corner = (light: Float32Array, row: number, column: number) => light[(row * 40 + column) * 3] ?? 0
  const level = lightOn(sky, view)
  assert.equal([corner(level, 0, 20), corner(level, 29, 20)], [1, 0])
  // Turned clockwise by a right angle, the camera has the sky on the left of its picture.
  const hanging = lightOn(sky, { ...view, roll: 90 * degrees })
  assert.equal([corner(hanging, 15, 0), corner(hanging, 15, 39)], [1, 0])
  assert.is(corner(lightOn(sky, { ...view, pitch: 60 * degrees }), 29, 20), 1)
  const east = panorama(yaw => yaw > 90 * degrees && yaw < 180 * degrees)
  const across = lightOn(east, view)
  assert.equal([corner(across, 15, 0), corner(across, 15, 39)], [0, 1])
})

test('panoramas are read the right way up, without light that is none', async () => {
  const { width, height, light } = await gallery('park')
  const row = (from: number, channel: number) => {
    const pixels = light.subarray(from * width * 3, (from + 1) * width * 3)
    return pixels.filter((_, at) => at % 3 === channel).reduce((sum, value) => sum + value, 0)
  }
  assert.ok(row(20, 2) > row(20, 1), 'the sky is blue')
  assert.ok(row(height - 30, 1) > 2 * row(height - 30, 2), 'the grass is green')
  assert.ok(light.every(value => value >= 0 && Number.isFinite(value)))
})

test('the same seed takes the same photograph, and each drift another one of the same size', async () => {
  const set = { count: 2, seed: 9, sector: 'test', gallery } as const
  const [good, again] = [await makeSceneSet(set), await makeSceneSet(set)]
  assert.equal(
    good.map(({ image }) => image),
    again.map(({ image }) => image),
  )
  const { data: plain, info } = await sharp(good[1]?.image).raw().toBuffer({ resolveWithObject: true })
  for (const drift of cameraDrifts) {
    const [, changed] = await makeSceneSet({ ...set, drift })
    const other = await sharp(changed?.image).raw().toBuffer({ resolveWithObject: true })
    assert.equal([other.info.width, other.info.height], [info.width, info.height])
    const difference = other.data.reduce((sum, byte, at) => sum + Math.abs(byte - (plain[at] ?? 0)), 0)
    assert.ok(difference / plain.length > 4, `${drift}: ${difference / plain.length}`)
  }
})

test.run()
