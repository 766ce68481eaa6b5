/**
 * A GPU on paper: a stand-in nvidia-smi tells what is free of its memory, from the probes and trainers that run under
 * the same TMPDIR, and a function whose allocations fail when it is full.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { createNode, int, writeGraph } from '../../runtime/onnx/index.ts'
import { tinyName, writeTinyFunction, writeTinyReference } from '../../scripts/soak/tiny-function.ts'

/** MiB of the device. */
export const gpu = {
  total: 778,
  process: 300,
  thread: 100,
  /** Of a batch, in each thread. */
  row: 20,
  /** What three threads take beyond that: no line through one and two tells it. */
  jump: 300,
  trainer: 170,
} as const

/** What a probe has at its peak. Unit: MiB. */
export const probeMiB = (threads: number, batch: number): number =>
  gpu.process + threads * (gpu.thread + gpu.row * batch) + (threads >= 3 ? gpu.jump : 0)

const script = (profiles: string) => `#!/bin/sh
used=0
! grep -qs '"training":true' '${profiles}'/*.partial || used=${gpu.total}
for job in "$TMPDIR"/corun-probe-*/job.json; do
  [ -e "$job" ] || continue
  set -- $(sed 's/^{"threads":\\([0-9]*\\),"batch":\\([0-9]*\\).*/\\1 \\2/' "$job")
  used=$((used + ${gpu.process} + $1 * (${gpu.thread} + ${gpu.row} * $2)))
  [ "$1" -lt 3 ] || used=$((used + ${gpu.jump}))
done
case $(ps -A -o args=) in *"$TMPDIR"/corun-profile-*/loop/job.json*) used=$((used + ${gpu.trainer})) ;; esac
[ "$used" -le ${gpu.total} ] || used=${gpu.total}
echo "${gpu.total}, $((${gpu.total} - used))"
`

const source = `
import { execFileSync } from 'node:child_process'
import { defineFunction, image } from 'corun'

let isFull = false
export default defineFunction({
  models: { net: { path: 'net.onnx', labels: ['left', 'right'] }, workspace: { path: 'workspace.onnx' } },
  input: image({ width: 8, height: 8, channels: 'gray', fit: 'fill' }),
  init() {
    isFull = execFileSync('nvidia-smi', { encoding: 'utf8' }).trim().endsWith(', 0')
  },
  async handler(x, { models }) {
    if (isFull) await models.workspace.run({ floats: { data: Float32Array.of(2 ** 50), dims: [1] } })
    const { y } = await models.net.run({ x })
    return models.net.top1(y)
  },
})`

/** A model that takes as much memory as it is told to. */
const workspace = () =>
  writeGraph({
    name: 'workspace',
    inputs: [{ name: 'floats', type: 'float32', dims: [1] }],
    outputs: [{ name: 'zeros', type: 'float32', dims: ['N'] }],
    nodes: [
      createNode('Cast', ['floats'], ['shape'], { to: int(7) }),
      createNode('ConstantOfShape', ['shape'], ['zeros']),
    ],
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  })

export interface SimulatedGpu {
  functions: string
  /** Of a process to which the device is there; `temporary` is its own. */
  env(temporary: string): NodeJS.ProcessEnv
}

/** Others fill the device as soon as a profile, written to `profiles`, knows of a point beside training. */
export async function simulateGpu(folder: string, profiles: string): Promise<SimulatedGpu> {
  const [functions, bin] = ['functions', 'bin'].map(name => join(folder, name)) as [string, string]
  await writeTinyFunction(functions, { epochs: 1, checkpointSteps: 100 })
  const target = join(functions, tinyName)
  await writeFile(join(target, 'function.ts'), source)
  await writeFile(join(target, 'workspace.onnx'), workspace())
  await writeTinyReference(functions, { count: 40, batchSize: 8 })
  await mkdir(bin)
  await writeFile(join(bin, 'nvidia-smi'), script(profiles))
  await chmod(join(bin, 'nvidia-smi'), 0o755)
  return {
    functions,
    env: temporary => ({
      ...process.env,
      TMPDIR: temporary,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
    }),
  }
}
