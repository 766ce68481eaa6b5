/**
 * A TensorFlow.js model on disk: `model.json` with its weights beside it, or the same as CommonJS modules, as packages
 * for browsers carry them (`model.min.js` exports the JSON, `<weights>.min.js` the bytes in base64).
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { CorunError } from '../core/errors.ts'
import { parseArtifacts } from './artifacts.ts'

export interface ModelFiles {
  json: unknown
  /** Bytes of each group of the manifest. */
  groups: Uint8Array[]
}

const scriptPattern = /(\.min)?\.c?js$/

/** Whether a path names a TensorFlow.js model and no ONNX file. */
export const isTensorflowPath = (path: string): boolean => path.endsWith('.json') || scriptPattern.test(path)

/** A model's name without what says that it is one of TensorFlow.js. */
export const modelStem = (name: string): string => name.replace(/\.json$/, '').replace(scriptPattern, '')

/** @throws CorunError `model-not-found`, and `invalid-model` when the file is no such model, or a file of weights is missing */
export async function readModelFiles(
  path: string,
  onFile: (path: string) => void = () => {},
): Promise<ModelFiles> {
  const file = resolve(path)
  const suffix = scriptPattern.exec(file)?.[0]
  const json = suffix === undefined ? await readJson(file) : exported(file)
  const folder = dirname(file)
  const groups: Uint8Array[] = []
  for (const { paths } of parseArtifacts(json).weightsManifest) {
    const files = paths.map(path => join(folder, path + (suffix ?? '')))
    files.forEach(onFile)
    const parts = await Promise.all(
      files.map(part =>
        suffix === undefined ? readPart(part, file) : Buffer.from(String(exported(part)), 'base64'),
      ),
    )
    groups.push(Buffer.concat(parts))
  }
  return { json, groups }
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch(cause => {
    throw new CorunError('model-not-found', `${file} cannot be read: ${cause.message}`, { cause })
  })
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CorunError(
      'invalid-model',
      `${file} is not JSON: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    )
  }
}

async function readPart(part: string, model: string): Promise<Uint8Array> {
  return readFile(part).catch(cause => {
    throw new CorunError(
      'invalid-model',
      `weights ${basename(part)} of ${model} cannot be read: ${cause.message}`,
      {
        cause,
      },
    )
  })
}

/** What a module exports; it is not kept, since weights in base64 are large. */
function exported(file: string): unknown {
  const require = createRequire(file)
  try {
    const value: unknown = require(file)
    delete require.cache[file]
    return value
  } catch (cause) {
    throw new CorunError(
      'invalid-model',
      `${file} cannot be loaded: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    )
  }
}
