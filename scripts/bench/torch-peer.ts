// PyTorch as the other side of a comparison: a child process that makes a step whenever it is asked for one.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { packageRoot } from '../../runtime/core/package-root.ts'
import type { Subject } from './training-subject.ts'

/** Debian's, which has PyTorch from its own packages; another may come first in PATH. */
const python = '/usr/bin/python3'

export interface TorchPeer {
  /** Version and BLAS, as PyTorch tells them. */
  configuration: string
  /** One step; resolves when it is done. */
  run(): Promise<void>
  close(): Promise<void>
}

export function hasTorch(): boolean {
  return spawnSync(python, ['-c', 'import torch, torchvision'], { stdio: 'ignore' }).status === 0
}

/** `network`: the name of a fixture, or a folder that writeTorchGraph made. */
export async function startTorchPeer(
  network: string,
  { dims, classes, batchSize, threads }: Pick<Subject, 'dims' | 'classes' | 'batchSize' | 'threads'>,
): Promise<TorchPeer> {
  const script = join(packageRoot, 'scripts', 'oracle', 'time_steps.py')
  const numbers = [...dims.slice(1), classes, batchSize, threads].map(String)
  const child = spawn(python, ['-W', 'ignore', script, network, ...numbers], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`PyTorch ended while it ran ${network}`)
    return String(value)
  }
  const { version, configuration } = JSON.parse(await nextLine()) as {
    version: string
    configuration: string
  }
  return {
    configuration: `PyTorch ${version}, ${configuration}`,
    async run() {
      child.stdin.write('step\n')
      await nextLine()
    },
    close: () =>
      new Promise(resolve => {
        child.once('close', () => resolve())
        child.stdin.end()
      }),
  }
}
