/** What a check by zod found, as text. The schemas are their owners'; nothing here needs the library at run time. */
import type { z } from 'zod'

/** Text of a failed check: `input.width: expected number, received string; ...`. */
export function issuesText(error: z.ZodError): string {
  return error.issues.map(issue => `${issue.path.join('.') || '(whole)'}: ${issue.message}`).join('; ')
}
