// What TensorFlow.js itself answers, for test/importing: small networks of every kind of layer and operator, and the
// networks of the packages that the functions use. Run by hand, with TensorFlow.js installed somewhere else:
//   mkdir /tmp/tf && cd /tmp/tf && npm init -y && npm i @tensorflow/tfjs-core@4 @tensorflow/tfjs-layers@4 \
//     @tensorflow/tfjs-converter@4 @tensorflow/tfjs-backend-cpu@4
//   node --import tsx scripts/oracle/ask-tensorflow.mjs /tmp/tf
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { graphs } from './tensorflow-graphs.mjs'
import { wave } from './wave.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(join(process.argv[2] ?? '.', 'package.json'))
const tf = require('@tensorflow/tfjs-core')
require('@tensorflow/tfjs-backend-cpu')
const { layers, model: functional, sequential, input, loadLayersModel } = require('@tensorflow/tfjs-layers')
const { loadGraphModel } = require('@tensorflow/tfjs-converter')

const folder = join(root, 'test/fixtures/importing')
mkdirSync(folder, { recursive: true })

/** TensorFlow.js's own files of a model, without a file system. */
async function filesOf(model) {
  let files
  await model.save({
    save: async ({ modelTopology, weightSpecs, weightData }) => {
      const manifest = [{ paths: ['weights.bin'], weights: weightSpecs }]
      files = {
        json: { format: 'layers-model', modelTopology, weightsManifest: manifest },
        weights: Buffer.from(weightData),
      }
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } }
    },
  })
  return files
}

/** Weights that no initializer makes: variances stay positive, and nothing vanishes. */
function fill(model, scale = 0.6) {
  model.setWeights(
    model.weights.map(({ originalName, shape }, index) => {
      const values = wave(shape, index + 1).map(value => value * scale)
      return tf.tensor(
        /variance|gamma/.test(originalName) ? values.map(value => 0.5 + Math.abs(value)) : values,
        shape,
      )
    }),
  )
  return model
}

function answersOf(model, shapes) {
  const feeds = shapes.map((shape, index) => tf.tensor(wave(shape, index), shape))
  const result = model.node ? model.execute(feeds[0]) : model.predict(feeds.length === 1 ? feeds[0] : feeds)
  return (Array.isArray(result) ? result : [result]).map(tensor => ({
    shape: tensor.shape,
    data: Array.from(tensor.dataSync(), value => Number(value.toPrecision(8))),
  }))
}

const convolutions = () => {
  const start = input({ shape: [13, 10, 3], name: 'picture' })
  const apply = (layer, ...values) => layer.apply(values.length === 1 ? values[0] : values)
  let x = apply(
    layers.zeroPadding2d({
      padding: [
        [0, 1],
        [1, 2],
      ],
      name: 'pad',
    }),
    start,
  )
  x = apply(layers.conv2d({ filters: 6, kernelSize: 3, strides: 2, useBias: false, name: 'conv' }), x)
  x = apply(layers.batchNormalization({ name: 'norm' }), x)
  x = apply(layers.reLU({ maxValue: 6, name: 'relu6' }), x)
  const skip = x
  x = apply(
    layers.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, padding: 'same', name: 'depth' }),
    x,
  )
  x = apply(layers.leakyReLU({ alpha: 0.2, name: 'leaky' }), x)
  x = apply(layers.conv2d({ filters: 6, kernelSize: 1, activation: 'tanh', name: 'point' }), x)
  x = apply(layers.add({ name: 'sum' }), x, skip)
  const squeezed = apply(layers.globalAveragePooling2d({ name: 'gap' }), x)
  const gate = apply(layers.reshape({ targetShape: [1, 1, 6], name: 'gate' }), squeezed)
  x = apply(layers.multiply({ name: 'excite' }), x, gate)
  x = apply(
    layers.separableConv2d({ filters: 5, kernelSize: 3, padding: 'same', dilationRate: 2, name: 'apart' }),
    x,
  )
  x = apply(layers.prelu({ sharedAxes: [1, 2], name: 'prelu' }), x)
  const up = apply(layers.upSampling2d({ size: [2, 3], name: 'up' }), x)
  const small = apply(layers.maxPooling2d({ poolSize: 2, strides: 1, padding: 'same', name: 'max' }), up)
  const mean = apply(layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same', name: 'mean' }), up)
  const back = apply(
    layers.conv2dTranspose({ filters: 4, kernelSize: 3, strides: 2, padding: 'same', name: 'back' }),
    mean,
  )
  const cropped = apply(
    layers.cropping2D({
      cropping: [
        [0, 0],
        [0, 0],
      ],
      name: 'crop',
    }),
    back,
  )
  const joined = apply(layers.concatenate({ name: 'join' }), small, cropped)
  const end = apply(layers.activation({ activation: 'sigmoid', name: 'squash' }), joined)
  const flat = apply(layers.flatten({ name: 'flat' }), mean)
  const hidden = apply(layers.dense({ units: 7, activation: 'elu', name: 'hidden' }), flat)
  const classes = apply(layers.dense({ units: 4, activation: 'softmax', name: 'classes' }), hidden)
  return functional({ inputs: start, outputs: [end, classes] })
}

/** As Teachable Machine exports it: models inside of models. */
const nested = () =>
  sequential({
    name: 'whole',
    layers: [
      sequential({
        name: 'base',
        layers: [
          layers.conv2d({
            inputShape: [8, 8, 3],
            filters: 4,
            kernelSize: 3,
            activation: 'relu',
            name: 'conv',
          }),
          layers.globalAveragePooling2d({ name: 'gap', dataFormat: 'channelsLast' }),
        ],
      }),
      sequential({
        name: 'top',
        layers: [
          layers.dense({ inputShape: [4], units: 5, activation: 'relu', name: 'dense_a' }),
          layers.dense({ units: 3, activation: 'softmax', useBias: false, name: 'dense_b' }),
        ],
      }),
    ],
  })

const built = [
  { name: 'convolutions', model: fill(convolutions()), shapes: [[2, 13, 10, 3]] },
  { name: 'nested', model: fill(nested()), shapes: [[2, 8, 8, 3]] },
]
for (const { name, model, shapes } of built) {
  const { json, weights } = await filesOf(model)
  const answers = answersOf(model, shapes).map((answer, index) => ({
    name: model.outputNames[index],
    ...answer,
  }))
  write(name, { json, weights: weights.toString('base64'), shapes, answers })
}

for (const { name, json, weights, shape } of graphs()) {
  const model = await loadGraphModel(inMemory(json, weights))
  const result = model.execute(tf.tensor(wave(shape, 0), shape))
  const answers = (Array.isArray(result) ? result : [result]).map((tensor, index) => ({
    name: model.outputs[index].name,
    shape: tensor.shape,
    data: Array.from(tensor.dataSync(), value => Number(value.toPrecision(8))),
  }))
  write(name, { json, weights: weights.toString('base64'), shapes: [shape], answers })
}

const packages = [
  {
    name: 'mobilenet-v2',
    file: 'nsfwjs/dist/models/mobilenet_v2/model.min.js',
    shape: [1, 224, 224, 3],
    outputs: ['flatten_1', 'dense_3'],
  },
  { name: 'faceres', file: '@vladmandic/human/models/faceres.json', shape: [1, 224, 224, 3], scale: 255 },
]
for (const { name, file, shape, scale = 1, outputs } of packages) {
  const { json, weights } = readPackage(join(root, 'node_modules', file))
  const handler = inMemory(json, weights)
  const feed = tf.tensor(
    wave(shape, 0).map(value => (value + 1) * 0.5 * scale),
    shape,
  )
  let names, result
  if (outputs === undefined) {
    const model = await loadGraphModel(handler)
    names = model.outputs.map(output => output.name)
    result = model.execute(feed)
  } else {
    const whole = await loadLayersModel(handler)
    names = outputs
    result = functional({
      inputs: whole.inputs,
      outputs: outputs.map(layer => whole.getLayer(layer).output),
    }).predict(feed)
  }
  const answers = result.map((tensor, index) => ({
    name: names[index],
    shape: tensor.shape,
    data: Array.from(tensor.dataSync(), value => Number(value.toPrecision(8))),
  }))
  write(name, { file, shapes: [shape], scale, outputs, answers })
}

function inMemory(json, weights) {
  const bytes = Uint8Array.from(weights)
  return {
    load: async () => ({
      ...json,
      weightSpecs: json.weightsManifest.flatMap(group => group.weights),
      weightData: bytes.buffer,
    }),
  }
}

function readPackage(file) {
  const script = file.endsWith('.js')
  const json = script ? require(file) : JSON.parse(readFileSync(file, 'utf8'))
  const parts = json.weightsManifest
    .flatMap(group => group.paths)
    .map(path =>
      script
        ? Buffer.from(require(join(dirname(file), `${path}.min.js`)), 'base64')
        : readFileSync(join(dirname(file), path)),
    )
  return { json, weights: Buffer.concat(parts) }
}

function write(name, content) {
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(content)}\n`)
  console.log(name, content.answers.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', '))
}
