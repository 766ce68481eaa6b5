/** `corun import <model.json>`: a TensorFlow.js model becomes an ONNX file. */
import { basename, dirname, join } from 'node:path'
import { CorunError } from '../core/errors.ts'
import { importTensorflow } from '../importing/import-tensorflow.ts'
import { isTensorflowPath, modelStem, readModelFiles } from '../importing/read-files.ts'
import { inspectModel, type ModelPort } from '../onnx/index.ts'
import { writeDurably } from '../state/durable-file.ts'
import { command } from './command.ts'

export default command({
  name: 'import',
  description: 'Turn a TensorFlow.js layers or graph model into ONNX',
  args: {
    model: { type: 'positional', description: 'Its model.json; the weights lie beside it', required: true },
    out: {
      type: 'string',
      description: 'File to write (default: <model>.onnx beside it)',
      valueHint: 'file',
    },
    outputs: {
      type: 'string',
      description: "Layers or nodes to end at, separated by commas (default: the model's outputs)",
      valueHint: 'names',
    },
  },
  async run({ args, json }) {
    const file = String(args.model)
    if (!isTensorflowPath(file)) {
      throw new CorunError('invalid-config', `"${file}" is no model.json of TensorFlow.js`)
    }
    const files = await readModelFiles(file)
    const outputs = typeof args.outputs === 'string' ? args.outputs.split(',').filter(Boolean) : undefined
    const model = importTensorflow(files.json, files.groups, outputs === undefined ? {} : { outputs })
    const target = args.out ? String(args.out) : join(dirname(file), `${modelStem(basename(file))}.onnx`)
    await writeDurably(target, model)
    const { inputs, outputs: results } = inspectModel(model)
    process.stdout.write(
      json
        ? `${JSON.stringify({ file: target, bytes: model.length, inputs, outputs: results })}\n`
        : `${target}, ${model.length} bytes\n${[...inputs.map(port => shown('input', port)), ...results.map(port => shown('output', port))].join('')}`,
    )
    return 0
  },
})

const shown = (what: string, { name, type, dims }: ModelPort) =>
  `  ${what.padEnd(6)} ${name}: ${type} [${(dims ?? []).join(', ')}]\n`
