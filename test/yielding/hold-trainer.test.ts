import { setTimeout as after } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createHold, nextRoomMs } from '../../runtime/yielding/hold-trainer.ts'

const test = suite('yielding/hold-trainer')

const rooms: [what: string, roomMs: number, ranMs: number, next: number][] = [
  ['a box that is full again at once is given more time', 2, 1, 4],
  ['up to a bound', 64, 1, 64],
  ['one that leaves room is believed sooner', 16, 50, 8],
  ['down to a bound', 2, 50, 2],
]
for (const [what, roomMs, ranMs, next] of rooms) {
  test(what, () => assert.is(nextRoomMs(roomMs, ranMs), next))
}

function held() {
  const sent: string[] = []
  const hold = createHold({ pid: 1, signal: (_, name) => sent.push(name) > 0 })
  return { hold, sent }
}

test('it is stopped once while requests want every core, and goes on when there has been room for a while', async () => {
  const { hold, sent } = held()
  hold.crowded(true)
  hold.crowded(true)
  assert.equal(sent, ['SIGSTOP'])
  hold.crowded(false)
  assert.equal(sent, ['SIGSTOP'], 'not with every request')
  await after(50)
  assert.equal(sent, ['SIGSTOP', 'SIGCONT'])
  assert.ok(hold.heldMs() > 0)
  assert.is(hold.heldMs(), 0, 'since the last call')
})

test('a gap between two requests leaves it stopped', async () => {
  const { hold, sent } = held()
  hold.crowded(true)
  hold.crowded(false)
  hold.crowded(true)
  await after(50)
  assert.equal(sent, ['SIGSTOP'])
  hold.end()
  assert.equal(sent, ['SIGSTOP', 'SIGCONT'], 'whoever looks after it no more leaves it running')
})

test('what its floor is due is no time to wait, whoever wants the cores', () => {
  const { hold, sent } = held()
  hold.crowded(true)
  hold.excused(true)
  assert.equal(sent, ['SIGSTOP', 'SIGCONT'])
  hold.excused(false)
  assert.equal(sent, ['SIGSTOP', 'SIGCONT', 'SIGSTOP'])
  hold.end()
})

test('a process that has ended is nothing to hold', () => {
  const sent: string[] = []
  const hold = createHold({ pid: 1, signal: (_, name) => sent.push(name) < 0 })
  hold.crowded(true)
  hold.end()
  assert.equal(sent, ['SIGSTOP'])
})

test.run()
