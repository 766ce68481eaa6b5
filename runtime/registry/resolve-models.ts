/** From the models that a definition names to files that exist, with their labels. */
import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import type { FunctionDescription } from '../core/definition-schema.ts'
import type { DeployedModel } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { foldersUpFrom, ownPackageFolders } from '../core/package-root.ts'
import { inspectModel } from '../onnx/index.ts'
import { modelContent } from './model-content.ts'

/** A version of a model: its content, where it lies, and its classes. */
export interface ModelVersion {
  sha256: string
  file: string
  labels: string[]
}

/** Where model versions are kept: the `models` room. */
export interface ModelSource {
  /** Registers the model that the function brings, its file or its bytes, and answers the version that is current. */
  adopt(id: string, content: string | Uint8Array, labels: string[]): Promise<ModelVersion>
  /** The version that is current. Throws `unknown-model`. */
  current(id: string): ModelVersion
}

type ModelSpec = FunctionDescription['models'][string]

export interface ResolveOptions {
  /** Keeps models that were made from others, such as imported ones. */
  imports: string
  /** Told of every file that the result depends on, before it is read and also when it is missing. */
  onFile?: (path: string) => void
}

export async function resolveModels(
  name: string,
  folder: string,
  specs: Record<string, ModelSpec>,
  source: Pick<ModelSource, 'adopt'>,
  { imports, onFile = () => {} }: ResolveOptions,
): Promise<Record<string, DeployedModel>> {
  const resolved = Object.entries(specs).map(async ([key, { path, head, outputs, ...spec }]) => {
    const what = `model "${key}" of function "${name}"`
    const id = `${name}.${key}`
    const recipe = {
      file: modelFile(what, path, folder, onFile),
      outputs,
      head: head === undefined ? undefined : modelFile(`head of ${what}`, head, folder, onFile),
    }
    const content = await modelContent(id, recipe, { folder: imports, onFile })
    // Before the store takes it: a damaged file, or one with other classes, must not become a version.
    const brought = inspectModel(typeof content === 'string' ? await readFile(content) : content)
    const labels = await readLabels(spec.labels, folder, { id, onFile })
    assertLabelled(what, labels, brought)
    return [key, await describeModel(id, await source.adopt(id, content, labels))] as const
  })
  return Object.fromEntries(await Promise.all(resolved))
}

/** A version of a model as deployments carry it. */
export async function describeModel(
  id: string,
  { sha256, file, labels }: ModelVersion,
): Promise<DeployedModel> {
  const { inputs, outputs } = inspectModel(await readFile(file))
  return {
    id,
    sha256,
    file,
    labels,
    inputs: inputs.map(({ name, type, dims }) => ({
      name,
      // Without a rank nobody can make a tensor for it, whatever its elements are.
      type: dims === undefined ? 'unknown' : (type ?? 'unknown'),
      dims: (dims ?? []).map(dim => (typeof dim === 'number' ? dim : null)),
    })),
    outputs: outputs.map(({ name, activation }) => ({ name, activation })),
  }
}

/** `npm:<package>/<file>` is looked up in node_modules from the function upward, then in Corun's own. */
function modelFile(what: string, path: string, folder: string, onFile: (path: string) => void): string {
  const inPackage = /^npm:((?:@[^/]+\/)?[^/]+\/.+)$/.exec(path)?.[1]
  const candidates =
    inPackage === undefined
      ? [isAbsolute(path) ? path : join(folder, path)]
      : [...foldersUpFrom(folder).map(start => join(start, 'node_modules')), ...ownPackageFolders].map(
          start => join(start, inPackage),
        )
  const found = candidates.find(path => statSync(path, { throwIfNoEntry: false })?.isFile())
  for (const file of inPackage === undefined ? candidates : [found]) if (file !== undefined) onFile(file)
  if (found !== undefined) return found
  const places = inPackage === undefined ? candidates.join(', ') : `no node_modules above ${folder} has it`
  throw new CorunError('model-not-found', `${what}: "${path}" was not found (${places})`)
}

/** A label is the name of a place in an output. Sizes that only a run tells are taken on trust. */
function assertLabelled(
  what: string,
  labels: readonly string[],
  { outputs }: Pick<ReturnType<typeof inspectModel>, 'outputs'>,
): void {
  if (labels.length === 0) return
  const fits = (dim: unknown) => typeof dim !== 'number' || dim === labels.length
  if (outputs.some(({ dims = [] }) => dims.length < 2 || dims.slice(1).some(fits))) return
  const shapes = outputs.map(({ name, dims = [] }) => `"${name}" [${dims.join(', ')}]`)
  throw new CorunError(
    'invalid-definition',
    `${what}: ${labels.length} labels were given, and no output has as many numbers: ${shapes.join(', ')}`,
  )
}

const labelsSchema = z.array(z.string()).min(1)

async function readLabels(
  labels: ModelSpec['labels'],
  folder: string,
  { id, onFile }: { id: string; onFile: (path: string) => void },
): Promise<string[]> {
  if (labels === undefined) return []
  if (typeof labels !== 'string') return labels
  const file = modelFile(`labels of model "${id}"`, labels, folder, onFile)
  try {
    const text = await readFile(file, 'utf8')
    const lines = () => text.replace(/\r?\n$/, '').split(/\r?\n/)
    return labelsSchema.parse(file.endsWith('.txt') ? lines() : JSON.parse(text))
  } catch (cause) {
    throw new CorunError(
      'invalid-definition',
      `labels of model "${id}": ${file} is not a JSON list of strings, nor a .txt file of one a line`,
      { cause, details: { file } },
    )
  }
}
