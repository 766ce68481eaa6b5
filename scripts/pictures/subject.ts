/** What a shipped function is shown by the demo and the benchmarks: pictures that teach and others that judge. */
import { driftNames } from './drift.ts'
import { makeSet } from './make-set.ts'
import { cameraDrifts } from './scene/drift.ts'
import { makeSceneSet } from './scene/make-set.ts'
import { openGallery } from './scene/panorama.ts'

export interface DrawOptions {
  count: number
  seed: number
  /** What judges shares nothing with what teaches, whatever the seeds. */
  use: 'teach' | 'judge'
  /** One of the subject's. Default: none. */
  drift?: string | undefined
}

export interface Subject {
  /** The function. */
  name: string
  /** For people: what its pictures are. */
  what: string
  drifts: readonly string[]
  /** Labels alternate. JPEG. Sets of one seed that differ in their drift show the same but for the drift. */
  draw(options: DrawOptions): Promise<{ image: Buffer; label: string }[]>
}

const found = <Name extends string>(names: readonly Name[], name: string | undefined): Name | undefined => {
  const known = names.find(each => each === name)
  if (name !== undefined && known === undefined) {
    throw new Error(`the drift is "${name}"; expected one of ${names.join(', ')}`)
  }
  return known
}

/** Words of what judges are in no line that teaches. */
function text(): Subject {
  return {
    name: 'text-orientation',
    what: 'lines of text as a phone camera sees them',
    drifts: driftNames,
    draw: async ({ use, drift, ...set }) =>
      makeSet({ ...set, text: use === 'teach' ? 'train' : 'held-out', drift: found(driftNames, drift) }),
  }
}

/** Views that judge look where no view that teaches looks. */
function scene(): Subject {
  const gallery = openGallery()
  return {
    name: 'scene',
    what: 'photographs of 18 places through a virtual camera',
    drifts: cameraDrifts,
    draw: async ({ use, drift, ...set }) =>
      makeSceneSet({
        ...set,
        sector: use === 'teach' ? 'training' : 'test',
        drift: found(cameraDrifts, drift),
        gallery,
      }),
  }
}

export const subjects = { scene, text } as const
