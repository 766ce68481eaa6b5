/** What the registry knows of one function, and how many requests hold its deployments. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { DeployedModel, DeployedRetraining, Deployment } from '../core/deployment.ts'
import { CorunError, serializeError } from '../core/errors.ts'

/** Why a source is not deployed, and where to look. */
export interface DeployFailure {
  code: string
  message: string
  /** ISO 8601. */
  at: string
  /** Absolute path of the source or model that it is about, where that is known. */
  file?: string
  /** From 1. */
  line?: number
  /** From 0. */
  column?: number
}

export interface FunctionEntry {
  name: string
  /** Absolute path of its source. */
  file: string
  /** `failed`: never had a deployment that works. After that, a failure leaves the last good one serving. */
  state: 'deploying' | 'ready' | 'failed'
  deployment?: Deployment
  retraining?: DeployedRetraining
  /** What keeps its source, or that of its retraining, from being deployed; cleared by a deployment of both. */
  lastError?: DeployFailure
}

const placeSchema = z.object({
  file: z.string().optional(),
  line: z.number().optional(),
  column: z.number().optional(),
})

export function deployFailure(error: unknown, at: string): DeployFailure {
  const { code, message } = serializeError(error, 'internal-error')
  const place = placeSchema.safeParse(error instanceof CorunError ? error.details : {}).data ?? {}
  const { file, line, column } = place
  return {
    ...{ code, message, at },
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  }
}

/** 16 hexadecimal digits over everything that answers: the bundle, and each model's content and classes. */
export function deploymentId(bundleHash: string, models: Record<string, DeployedModel>): string {
  const parts = Object.values(models)
    .map(({ id, sha256, labels }) => `${id}=${sha256}${labels.length > 0 ? JSON.stringify(labels) : ''}`)
    .sort()
  return createHash('sha256')
    .update([bundleHash, ...parts].join('\n'))
    .digest('hex')
    .slice(0, 16)
}
