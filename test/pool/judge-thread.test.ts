import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseMemoryHog, type MemoryUser } from '../../runtime/pool/choose-memory-hog.ts'
import { chooseRecycling, heapRestMs, type ThreadWear } from '../../runtime/pool/choose-recycling.ts'
import { judgeThread, type ThreadFacts, type Verdict } from '../../runtime/pool/judge-thread.ts'

const test = suite('pool/judge-thread')

const idle: ThreadFacts = {
  hasWorked: true,
  inEngine: false,
  leavingMs: undefined,
  replaced: false,
}
const task = (ms: number, begun = true, limitMs: number | undefined = 1000) => ({ ms, limitMs, begun })
const leave: Verdict = { do: 'leave' }
const replace: Verdict = { do: 'replace' }
const end = (why: 'deadline' | 'stalled'): Verdict => ({ do: 'end', why })

const cases: [string, Partial<ThreadFacts>, number, Verdict][] = [
  ['without a task is left alone', {}, 1, leave],
  ['within its time is left alone', { task: task(999) }, 1, leave],
  ['past its time ends', { task: task(1000) }, 1, end('deadline')],
  [
    'past its time ends, inside the engine too: when it leaves',
    { task: task(1000), inEngine: true },
    1,
    end('deadline'),
  ],
  ['without a limit is left alone', { task: { ms: 1e9, limitMs: undefined, begun: true } }, 1, leave],
  ['that does not look at a task has stalled', { task: task(200, false) }, 1, end('stalled')],
  ['that has not looked yet is left alone', { task: task(199, false) }, 1, leave],
  ['that has never worked may still be starting', { task: task(200, false), hasWorked: false }, 1, leave],
  ['inside the engine may look later', { task: task(200, false), inEngine: true }, 1, leave],
  ['that shall end is waited for', { leavingMs: 49 }, 1, leave],
  ['that does not end is replaced', { leavingMs: 50, inEngine: true }, 1, replace],
  ['that does not end outside the engine either is replaced', { leavingMs: 50 }, 1, replace],
  ['is replaced once', { leavingMs: 5000, replaced: true }, 1, leave],
  ['is not replaced where there is no room', { leavingMs: 5000 }, 0, leave],
  ['that shall end is not ended again', { leavingMs: 10, task: task(5000) }, 1, leave],
]
for (const [name, facts, room, verdict] of cases) {
  test(`a thread ${name}`, () => {
    assert.equal(judgeThread({ ...idle, ...facts }, { stallMs: 200, patienceMs: 50, room }), verdict)
  })
}

const user = (threadId: number, rssBefore: number, busy: number, inEngine = false): MemoryUser => ({
  threadId,
  rssBefore,
  busy,
  inEngine,
})
const hogs: [string, MemoryUser[], number | undefined][] = [
  ['nobody while the rise is allowed', [user(1, 101, 1)], undefined],
  ['the one whose task saw the rise', [user(1, 150, 1), user(2, 99, 0.2)], 2],
  ['the busiest of several', [user(1, 90, 0.3), user(2, 95, 0.9), user(3, 80, 0.5)], 2],
  ['nobody inside the engine', [user(1, 0, 1, true)], undefined],
  ['nobody when nothing runs', [], undefined],
]
for (const [name, users, hog] of hogs) {
  test(`memory is taken by ${name}`, () => {
    assert.is(chooseMemoryHog(users, { rss: 200, allowedBytes: 100 }), hog)
  })
}

const worn = (threadId: number, reloads: number, heapBytes = 10): ThreadWear => ({
  threadId,
  reloads,
  heapBytes,
})
const limits = { reloads: 10, heapBytes: 100, residentBytes: 1000 }
const recyclings: [string, ThreadWear[], number, ReturnType<typeof chooseRecycling>][] = [
  ['none of those that are fresh', [worn(1, 0), worn(2, 9)], 500, undefined],
  ['the one with the most reloads', [worn(1, 10), worn(2, 12)], 500, { threadId: 2, why: 'reloads' }],
  ['the one whose heap is full first', [worn(1, 12), worn(2, 0, 101)], 500, { threadId: 2, why: 'heap' }],
  [
    'the oldest when the process is large',
    [worn(1, 1), worn(2, 3)],
    1001,
    { threadId: 2, why: 'resident-memory' },
  ],
  ['none when the process is large without reloads', [worn(1, 0), worn(2, 0)], 1001, undefined],
  ['none when there is none', [], 5000, undefined],
]
for (const [name, threads, rss, choice] of recyclings) {
  test(`replaced is ${name}`, () => assert.equal(chooseRecycling(threads, limits, rss), choice))
}

test('threads that are full again soon are replaced ever more rarely, and one that lived long sets that back', () => {
  const rests: number[] = []
  for (let ms = 10_000, turn = 0; turn < 8; turn += 1) {
    ms = heapRestMs(ms, 2 * ms, 10_000)
    rests.push(ms / 1000)
  }
  assert.equal(rests, [20, 40, 80, 160, 320, 600, 600, 600])
  assert.is(heapRestMs(40_000, 801_000, 10_000), 10_000)
})

test.run()
