/** The virtual camera's lens: which part of a panorama a view shows, and the light that falls on its sensor. Pure. */
import type { Panorama } from './panorama.ts'

/** Unit of all angles: radians. */
export interface View {
  /** Pixels. */
  width: number
  height: number
  /** Across the width. */
  fieldOfView: number
  /** Where the camera looks: 0 is the left edge of the panorama, and it turns to the right. */
  yaw: number
  /** Up is positive. */
  pitch: number
  /** How the camera is turned about its axis, clockwise. */
  roll: number
}

/** A part of the horizon, from `start` to the right over `size`. */
export interface Sector {
  start: number
  size: number
}

type Direction = readonly [x: number, y: number, z: number]

/** From a place on the sensor, -1 to 1 across its width, to the direction that it sees: z ahead at yaw 0, y up. */
function lens({ fieldOfView, pitch, roll }: View): (x: number, y: number) => Direction {
  const reach = Math.tan(fieldOfView / 2)
  const [sineRoll, cosineRoll] = [Math.sin(roll), Math.cos(roll)]
  const [sinePitch, cosinePitch] = [Math.sin(pitch), Math.cos(pitch)]
  return (x, y) => {
    const right = (x * cosineRoll + y * sineRoll) * reach
    const up = (y * cosineRoll - x * sineRoll) * reach
    return [right, up * cosinePitch + sinePitch, cosinePitch - up * sinePitch]
  }
}

/** How far a view reaches to the left and to the right of its yaw, as angles; its border decides. */
export function reachOf(view: View): { left: number; right: number } {
  const see = lens(view)
  const aspect = view.height / view.width
  let [left, right] = [0, 0]
  for (let step = 0; step <= borderSteps; step += 1) {
    const along = (2 * step) / borderSteps - 1
    for (const [x, y] of [
      [along, aspect],
      [along, -aspect],
      [1, along * aspect],
      [-1, along * aspect],
    ] as const) {
      const [sideways, , ahead] = see(x, y)
      const angle = Math.atan2(sideways, ahead)
      left = Math.max(left, -angle)
      right = Math.max(right, angle)
    }
  }
  return { left, right }
}
const borderSteps = 32

/**
 * The view turned to where all of it lies in the sector: `where`, 0 to 1, from as far left as that is possible to as far
 * right. `margin` keeps off the borders. Undefined when it is too wide for the sector.
 */
export function turnInto(view: View, sector: Sector, where: number, margin: number): View | undefined {
  const { left, right } = reachOf(view)
  const room = sector.size - left - right - 2 * margin
  return room < 0 ? undefined : { ...view, yaw: sector.start + margin + left + room * where }
}

/** What falls on the sensor: linear light, bilinear between the panorama's pixels. float32 [height, width, 3] */
export function lightOn(panorama: Panorama, view: View): Float32Array {
  const { width, height } = view
  const see = lens(view)
  const sensor = new Float32Array(width * height * 3)
  for (let row = 0, at = 0; row < height; row += 1) {
    const y = (height - 1 - 2 * row) / width
    for (let column = 0; column < width; column += 1, at += 3) {
      const [sideways, up, ahead] = see((2 * column + 1) / width - 1, y)
      const turned = (view.yaw + Math.atan2(sideways, ahead)) / (2 * Math.PI)
      const risen = 0.5 - Math.atan2(up, Math.hypot(sideways, ahead)) / Math.PI
      sample(panorama, turned * panorama.width - 0.5, risen * panorama.height - 0.5, sensor, at)
    }
  }
  return sensor
}

function sample({ width, height, light }: Panorama, x: number, y: number, into: Float32Array, at: number) {
  const left = Math.floor(x)
  const top = Math.floor(y)
  const [alongX, alongY] = [x - left, y - top]
  const column = ((left % width) + width) % width
  const next = (column + 1) % width
  const upper = Math.min(height - 1, Math.max(0, top)) * width
  const lower = Math.min(height - 1, Math.max(0, top + 1)) * width
  const corners = [
    [(upper + column) * 3, (1 - alongX) * (1 - alongY)],
    [(upper + next) * 3, alongX * (1 - alongY)],
    [(lower + column) * 3, (1 - alongX) * alongY],
    [(lower + next) * 3, alongX * alongY],
  ] as const
  for (const [from, share] of corners) {
    for (let channel = 0; channel < 3; channel += 1) {
      into[at + channel] = (into[at + channel] ?? 0) + (light[from + channel] ?? 0) * share
    }
  }
}
