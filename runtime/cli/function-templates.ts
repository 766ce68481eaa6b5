/** What `corun new` writes: the files of a function of each kind, which run and pass type checking as they stand. Pure. */
import { starterModel } from './starter-model.ts'

export const functionKinds = ['json', 'fetch', 'image-classifier', 'retraining'] as const
export type FunctionKind = (typeof functionKinds)[number]

/** By path in the function's folder. */
export type FunctionFiles = Record<string, string | Uint8Array>

/** Side of the starter model's pictures. Unit: pixels. */
const side = 64
const labels = ['dark', 'bright']

export function functionFiles(kind: FunctionKind): FunctionFiles {
  switch (kind) {
    case 'json':
      return { 'function.ts': json }
    case 'fetch':
      return { 'function.ts': web }
    case 'image-classifier':
      return classifier()
    case 'retraining':
      return { ...classifier(), 'retrain.ts': retraining }
  }
}

const classifier = (): FunctionFiles => ({
  'function.ts': picture,
  'model.onnx': starterModel(side),
  'labels.json': `${JSON.stringify(labels)}\n`,
})

const json = `import { defineFunction } from 'corun'
import { z } from 'zod'

export default defineFunction({
  description: 'Greets by name',
  input: z.object({ name: z.string().min(1) }),
  output: z.object({ greeting: z.string() }),
  handler: ({ name }) => ({ greeting: \`Hello, \${name}!\` }),
})
`

const web = `import type { FunctionContext } from 'corun'

export default (request: Request, { requestId }: FunctionContext): Response => {
  const { pathname, searchParams } = new URL(request.url)
  return Response.json({ method: request.method, pathname, name: searchParams.get('name'), requestId })
}
`

const picture = `import { defineFunction, image } from 'corun'
import { z } from 'zod'

export default defineFunction({
  description: 'Names the class of a picture',
  // The model is a place to start from: it tells dark pictures from bright ones. Put your own in its place.
  models: { classifier: { path: 'model.onnx', labels: 'labels.json' } },
  input: image({ width: ${side}, height: ${side} }),
  output: z.object({ label: z.string(), score: z.number() }),
  async handler(pixels, { models }) {
    // float32 [1, 3, ${side}, ${side}] in, float32 [1, classes] out
    const { logits } = await models.classifier.run({ pixels })
    return models.classifier.top1(logits)
  },
})
`

const retraining = `import { adam, defineRetraining } from 'corun'

export default defineRetraining({
  model: 'classifier',
  // Every night at three, when ten new labelled pictures have come.
  schedule: '0 3 * * *',
  trainable: 'all',
  optimizer: adam({ learningRate: 1e-3 }),
  epochs: 8,
  batchSize: 16,
})
`

/** What to try first, as commands. */
export function firstSteps(name: string, kind: FunctionKind): string[] {
  const url = `http://localhost:8080/fn/${name}`
  const post = `curl --data-binary @picture.jpg -H 'content-type: image/jpeg'`
  switch (kind) {
    case 'json':
      return [`curl -H 'content-type: application/json' -d '{"name":"Ada"}' ${url}`]
    case 'fetch':
      return [`curl '${url}?name=Ada'`]
    case 'image-classifier':
      return [`${post} ${url}`]
    case 'retraining':
      return [
        `${post} ${url}`,
        `${post} 'http://localhost:8080/api/functions/${name}/samples?label=${labels[0]}'`,
      ]
  }
}
