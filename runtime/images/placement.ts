/** Where a resized picture lies in the tensor's frame: pure geometry. */
import type { ImageInput } from '../core/definition.ts'

export interface Placement {
  /** The picture's size after resizing. */
  width: number
  height: number
  /** Of its left top corner in the frame. */
  left: number
  top: number
}

/**
 * For `contain`: the largest size of the same aspect ratio that fits, at least one pixel each way. `cover` and
 * `fill` take the whole frame.
 */
export function placementOf(
  source: { width: number; height: number },
  { width, height, fit, position }: Pick<ImageInput, 'width' | 'height' | 'fit' | 'position'>,
): Placement {
  if (fit !== 'contain') return { width, height, left: 0, top: 0 }
  const scale = Math.min(width / source.width, height / source.height)
  const size = {
    width: Math.min(width, Math.max(1, Math.round(source.width * scale))),
    height: Math.min(height, Math.max(1, Math.round(source.height * scale))),
  }
  const along = (free: number, start: boolean, end: boolean) => (start ? 0 : end ? free : free >> 1)
  return {
    ...size,
    left: along(width - size.width, position === 'left', position === 'right'),
    top: along(height - size.height, position === 'top', position === 'bottom'),
  }
}
