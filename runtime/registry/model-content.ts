/**
 * What a definition says of a model as the one ONNX file that serves: weights from files beside it put inside, a
 * TensorFlow.js model imported, a head put behind it.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CorunError } from '../core/errors.ts'
import { importerVersion, importTensorflow } from '../importing/import-tensorflow.ts'
import { isTensorflowPath, readModelFiles } from '../importing/read-files.ts'
import { embedExternalData, externalFilesOf, joinGraphs, readGraph, writeGraph } from '../onnx/index.ts'
import { makeFolder, writeDurably } from '../state/durable-file.ts'

export interface ModelRecipe {
  /** Absolute path of an ONNX file, or of a TensorFlow.js model. */
  file: string
  /** Where a TensorFlow.js model shall end. */
  outputs?: readonly string[] | undefined
  /** Absolute path of an ONNX file that takes the model's only output. */
  head?: string | undefined
}

/**
 * The path of the model where it can serve as it is, else its bytes. What takes work is kept in `folder`, under `id` and
 * the hash of everything that it was made from; what was kept for `id` before is removed. `onFile` is told of every file
 * beside `file` that it is made from.
 * @throws CorunError `invalid-model`, `unsupported-operator`
 */
export async function modelContent(
  id: string,
  { file, outputs, head }: ModelRecipe,
  { folder, onFile }: { folder: string; onFile: (path: string) => void },
): Promise<string | Uint8Array> {
  const tensorflow = isTensorflowPath(file)
  if (outputs !== undefined && !tensorflow) {
    throw new CorunError(
      'invalid-definition',
      `model "${id}": outputs are for TensorFlow.js models; ${file} is none`,
    )
  }
  if (!tensorflow && head === undefined) return wholeModel(file, onFile)
  const key = createHash('sha256').update(`${importerVersion} ${JSON.stringify(outputs ?? null)}`)
  const headBytes = head === undefined ? undefined : await readFile(head)
  if (headBytes !== undefined) key.update(headBytes)
  let make: () => Uint8Array
  if (tensorflow) {
    const { json, groups } = await readModelFiles(file, onFile)
    key.update(JSON.stringify(json))
    for (const group of groups) key.update(group)
    make = () => importTensorflow(json, groups, outputs === undefined ? {} : { outputs })
  } else {
    const content = await wholeModel(file, onFile)
    const bytes = typeof content === 'string' ? await readFile(content) : content
    key.update(bytes)
    make = () => bytes
  }
  const kept = join(folder, `${id}-${key.digest('hex').slice(0, 16)}.onnx`)
  if (existsSync(kept)) return kept
  const network = make()
  const model =
    headBytes === undefined ? network : writeGraph(joinGraphs(readGraph(network), readGraph(headBytes)))
  await makeFolder(folder)
  for (const name of await readdir(folder)) {
    // `net` and `net-two` may both be models of a function.
    if (name.startsWith(`${id}-`) && hashPattern.test(name.slice(id.length)))
      await rm(join(folder, name), { force: true })
  }
  await writeDurably(kept, model)
  return kept
}

const hashPattern = /^-[0-9a-f]{16}\.onnx$/

/** The path of an ONNX model that holds its weights, else its bytes with the weights of its other files inside. */
async function wholeModel(path: string, onFile: (path: string) => void): Promise<string | Uint8Array> {
  const bytes = await readFile(path)
  const names = externalFilesOf(bytes)
  if (names.length === 0) return path
  const files = new Map<string, Uint8Array>()
  for (const name of names) {
    const file = join(dirname(path), name)
    onFile(file)
    const content = await readFile(file).catch(() => undefined)
    if (content) files.set(name, content)
  }
  return embedExternalData(bytes, files)
}
