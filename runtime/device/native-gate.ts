/**
 * A gate around the engine that all threads of a process share. Ending a thread or the process while a thread is
 * inside the engine aborts the whole process, so whoever wants to end one first shuts it out and waits. What else the
 * main side must see of a thread that may never answer again stands beside it: the tasks that it began, and its heap.
 */
import { CorunError } from '../core/errors.ts'

/**
 * int32 cells: cell 0 tells whether the gate is closed for all; after it five for each thread. Only the main side
 * hands out places, so no two threads ever share one, however many have come and gone.
 */
const closedCell = 0
const cellsAPlace = 5
const places = 1024
/** Offsets in a place: thread id + 1, or 0 when it is vacant; how deep that thread is inside; whether it is shut out. */
const owner = 0
const depth = 1
const barred = 2
/** Tasks that the thread has begun, and the size of its JavaScript heap in MiB. */
const begun = 3
const heap = 4

export type NativeGate = SharedArrayBuffer

export function createNativeGate(): NativeGate {
  return new SharedArrayBuffer((1 + places * cellsAPlace) * Int32Array.BYTES_PER_ELEMENT)
}

function findPlace(cells: Int32Array, ownerValue: number): number | undefined {
  for (let place = 1; place < cells.length; place += cellsAPlace) {
    if (Atomics.load(cells, place + owner) === ownerValue) return place
  }
  return undefined
}

/**
 * On the main side, before a thread gets its first task. One that is `starting` counts as inside until it says
 * {@link started}: a thread that is ended while it loads native modules aborts the process too.
 */
export function admitThread(gate: NativeGate, threadId: number, { starting = false } = {}): void {
  const cells = new Int32Array(gate)
  if (findPlace(cells, threadId + 1) !== undefined) return
  const place = findPlace(cells, 0)
  if (place === undefined) throw new Error(`the gate has places for ${places} threads, and all are taken`)
  Atomics.store(cells, place + depth, starting ? 1 : 0)
  for (const cell of [barred, begun, heap]) Atomics.store(cells, place + cell, 0)
  Atomics.store(cells, place + owner, threadId + 1)
}

/** In a thread that is admitted as starting: its modules are there. False while it is not admitted yet. */
export function started(gate: NativeGate, threadId: number): boolean {
  const cells = new Int32Array(gate)
  const place = findPlace(cells, threadId + 1)
  if (place === undefined) return false
  Atomics.sub(cells, place + depth, 1)
  Atomics.notify(cells, place + depth)
  return true
}

/** In a thread: it begins a task. */
export function beginTask(gate: NativeGate, threadId: number): void {
  const cells = new Int32Array(gate)
  const place = findPlace(cells, threadId + 1)
  if (place !== undefined) Atomics.add(cells, place + begun, 1)
}

/** In a thread: what its JavaScript heap holds, in bytes. */
export function showHeap(gate: NativeGate, threadId: number, bytes: number): void {
  const cells = new Int32Array(gate)
  const place = findPlace(cells, threadId + 1)
  if (place !== undefined) Atomics.store(cells, place + heap, Math.round(bytes / 2 ** 20))
}

export interface ThreadSigns {
  inEngine: boolean
  /** Tasks that it has begun. */
  begun: number
  /** As it showed last. */
  heapBytes: number
}

/** On the main side; undefined when the thread is not admitted. */
export function signsOf(gate: NativeGate, threadId: number): ThreadSigns | undefined {
  const cells = new Int32Array(gate)
  const place = findPlace(cells, threadId + 1)
  if (place === undefined) return undefined
  return {
    inEngine: Atomics.load(cells, place + depth) > 0,
    begun: Atomics.load(cells, place + begun),
    heapBytes: Atomics.load(cells, place + heap) * 2 ** 20,
  }
}

/** In a thread: runs `work` inside the gate. Throws `shutting-down` once it is closed or the thread is shut out. */
export async function insideGate<T>(gate: NativeGate, threadId: number, work: () => Promise<T>): Promise<T> {
  const cells = new Int32Array(gate)
  const place = findPlace(cells, threadId + 1)
  if (place === undefined) throw new Error(`thread ${threadId} was never admitted to the engine`)
  // Counted before the look at `closed`, so that the main side cannot see nobody inside and miss this one.
  Atomics.add(cells, place + depth, 1)
  try {
    if (Atomics.load(cells, closedCell) !== 0 || Atomics.load(cells, place + barred) !== 0) {
      throw new CorunError('shutting-down', 'the engine takes no new runs')
    }
    return await work()
  } finally {
    Atomics.sub(cells, place + depth, 1)
    Atomics.notify(cells, place + depth)
  }
}

/** On the main side: a thread that has ended is not inside any more, whatever it was doing. */
export function forgetThread(gate: NativeGate, threadId: number): void {
  const cells = new Int32Array(gate)
  const place = findPlace(cells, threadId + 1)
  if (place === undefined) return
  Atomics.store(cells, place + owner, 0)
  Atomics.store(cells, place + depth, 0)
  Atomics.notify(cells, place + depth)
}

/** On the main side: this thread begins no run after this, and it resolves when the thread may be ended. */
export async function barThread(gate: NativeGate, threadId: number): Promise<void> {
  const cells = new Int32Array(gate)
  const place = findPlace(cells, threadId + 1)
  if (place === undefined) return
  Atomics.store(cells, place + barred, 1)
  await outside(cells, place + depth)
}

/** On the main side: no run begins after this, and it resolves when none is left. Runs end by themselves. */
export async function closeGate(gate: NativeGate): Promise<void> {
  const cells = new Int32Array(gate)
  Atomics.store(cells, closedCell, 1)
  // A thread that came meanwhile may have taken a place that was passed: until all are seen outside in one turn.
  for (let waited = true; waited; ) {
    waited = false
    for (let place = 1; place < cells.length; place += cellsAPlace) {
      if (Atomics.load(cells, place + depth) === 0) continue
      await outside(cells, place + depth)
      waited = true
    }
  }
}

async function outside(cells: Int32Array, cell: number): Promise<void> {
  if (Atomics.load(cells, cell) === 0) return
  // Waiting for a cell does not keep a process alive, and one that ends now ends inside the engine.
  const keepAlive = setInterval(() => {}, 1 << 30)
  try {
    for (let inside = Atomics.load(cells, cell); inside !== 0; inside = Atomics.load(cells, cell)) {
      await Atomics.waitAsync(cells, cell, inside).value
    }
  } finally {
    clearInterval(keepAlive)
  }
}
