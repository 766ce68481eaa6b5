/** Bodies: the limit in bytes, for every route that reads one. */
import { CorunError } from '../core/errors.ts'

export const bodyTooLarge = (limit: number) => (): never => {
  throw new CorunError('body-too-large', `the body is larger than ${limit} bytes`)
}
