/** Which scenes there are, and which places show each. */

/** In the order of the classifier's outputs. */
export const scenes = ['indoors', 'outdoors'] as const
export type Scene = (typeof scenes)[number]

/** Names in `@pmndrs/assets`. */
export const places: Readonly<Record<Scene, readonly string[]>> = {
  indoors: ['apartment', 'bridge', 'esplanade', 'hall', 'lab', 'lobby', 'studio', 'warehouse', 'workshop'],
  outdoors: ['city', 'dawn', 'forest', 'night', 'park', 'sky', 'sunrise', 'sunset', 'venice'],
}
