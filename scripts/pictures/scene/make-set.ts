/** Sets of photographs of scenes, each from one seed and one sector of every panorama's horizon. */
import { type Random, randomFrom, seedOf } from '../random.ts'
import { type CameraConditions, goodCamera } from './conditions.ts'
import { type CameraDrift, drifted } from './drift.ts'
import type { Gallery } from './panorama.ts'
import { places, type Scene, scenes } from './places.ts'
import { develop } from './sensor.ts'
import { lightOn, type Sector, turnInto, type View } from './view.ts'

const degrees = Math.PI / 180

/**
 * Where views of each use may look, in every panorama. A view lies wholly in its sector, so that its middle stays half a
 * field of view off the borders, and no pixel of a panorama is in views of two uses.
 */
export const sectors = {
  training: [
    { start: 60 * degrees, size: 104 * degrees },
    { start: 228 * degrees, size: 64 * degrees },
  ],
  validation: [{ start: 292 * degrees, size: 64 * degrees }],
  test: [
    { start: 164 * degrees, size: 64 * degrees },
    { start: 356 * degrees, size: 64 * degrees },
  ],
} as const satisfies Record<string, readonly [Sector, ...Sector[]]>
export type SectorName = keyof typeof sectors

export interface SceneSetOptions {
  count: number
  seed: number
  sector: SectorName
  drift?: CameraDrift | undefined
  gallery: Gallery
}

export interface Photograph {
  /** JPEG. */
  image: Buffer
  label: Scene
  place: string
}

const frame = { width: 224, height: 168 }
/** A pixel of a panorama, and one for what is interpolated. */
const margin = 1.5 * degrees

/** Labels alternate, and so do the places of each. Sets of one seed that differ in their drift show the same views. */
export async function makeSceneSet(options: SceneSetOptions): Promise<Photograph[]> {
  const { count, seed, sector, drift, gallery } = options
  const set: Photograph[] = []
  for (let index = 0; index < count; index += 1) {
    const label = scenes[index % scenes.length] ?? scenes[0]
    const group = places[label]
    const place = group[Math.floor(index / scenes.length) % group.length] ?? ''
    const pictureSeed = seedOf(seed, index)
    const good = goodCamera(randomFrom(pictureSeed, 'camera'))
    const camera = drifted(good, drift, randomFrom(pictureSeed, `drift ${drift}`))
    const view = aim(camera, sector, randomFrom(pictureSeed, 'direction'))
    const light = lightOn(await gallery(place), view)
    set.push({ image: await develop(light, view, camera, randomFrom(pictureSeed, 'sensor')), label, place })
  }
  return set
}

/** Where a camera of these conditions looks, drawn from the directions that its use may see. */
export function aim(
  { fieldOfView, pitch, roll }: CameraConditions,
  sector: SectorName,
  random: Random,
): View {
  const ahead = { ...frame, fieldOfView, pitch, roll, yaw: 0 }
  const view = turnInto(ahead, random.pick(sectors[sector]), random.between(0, 1), margin)
  if (view === undefined) throw new Error(`a view is wider than the sector "${sector}"`)
  return view
}
