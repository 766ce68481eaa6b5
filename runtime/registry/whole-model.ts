/** A model as exporters leave it: one file, or one with its weights in others beside it. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { embedExternalData, externalFilesOf } from '../onnx/index.ts'

/**
 * The path of a model that holds its weights, else its bytes with the weights inside. Throws `invalid-model` when a file
 * is missing, with its name.
 */
export async function wholeModel(path: string): Promise<string | Uint8Array> {
  const bytes = await readFile(path)
  const names = externalFilesOf(bytes)
  if (names.length === 0) return path
  const files = new Map<string, Uint8Array>()
  for (const name of names) {
    const content = await readFile(join(dirname(path), name)).catch(() => undefined)
    if (content) files.set(name, content)
  }
  return embedExternalData(bytes, files)
}
