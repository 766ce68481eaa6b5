/** What a serving process and its supervisor say to each other: checked where it arrives. */
import { z } from 'zod'

/** What a serving process says to its supervisor: that it wants the port, and that it serves. */
export const servingNoticeSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('listen') }),
  z.object({ type: z.literal('ready'), url: z.string() }),
])
export type ServingNotice = z.output<typeof servingNoticeSchema>

/** What a supervisor says: `port` comes with the listening socket, `connection` with one that was kept. */
export const servingCommandSchema = z.object({ type: z.enum(['port', 'connection', 'stop']) })
export type ServingCommand = z.output<typeof servingCommandSchema>
