import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createThreadBook, type ThreadBook } from '../../runtime/pool/thread-book.ts'

const test = suite('pool/thread-book')

/** Each step acts on a book and writes down what it learns; promises are written down when they resolve. */
interface Scene {
  book: ThreadBook
  /** Takes any thread, for `who`. */
  any(who: string): void
  /** Takes a certain thread, for `who`. */
  one(who: string, threadId: number): void
}
const cases: [string, number[], (scene: Scene) => void, string[]][] = [
  ['free threads go out in order', [1, 2], ({ any }) => ['a', 'b'].forEach(any), ['a: 1', 'b: 2']],
  ['with none free, who asks waits', [1], ({ any }) => ['a', 'b'].forEach(any), ['a: 1']],
  [
    'those who wait are served first come, first served',
    [1],
    ({ any, book }) => {
      for (const who of ['a', 'b', 'c']) any(who)
      book.giveBack(1)
      book.giveBack(1)
    },
    ['a: 1', 'b: 1', 'c: 1'],
  ],
  [
    'a certain thread is handed out when it is free, though others are',
    [1, 2],
    ({ one }) => one('load', 2),
    ['load: 2'],
  ],
  [
    'a certain thread is waited for, and taken before those who take any',
    [1],
    ({ any, one, book }) => {
      any('a')
      any('b')
      one('load', 1)
      book.giveBack(1)
      book.giveBack(1)
    },
    ['a: 1', 'load: 1', 'b: 1'],
  ],
  [
    'who waits for a certain thread gets no other',
    [1, 2],
    ({ any, one, book }) => {
      any('a')
      any('b')
      one('load', 1)
      book.giveBack(2)
      any('c')
    },
    ['a: 1', 'b: 2', 'c: 2'],
  ],
  [
    'two who want the same thread get it one after the other',
    [1],
    ({ one, book }) => {
      one('load', 1)
      one('unload', 1)
      book.giveBack(1)
    },
    ['load: 1', 'unload: 1'],
  ],
  [
    'a thread that comes later serves who waits',
    [],
    ({ any, book }) => {
      any('a')
      book.add(5)
    },
    ['a: 5'],
  ],
  [
    'a thread that is added twice is one thread',
    [1],
    ({ any, book }) => {
      any('a')
      book.add(1)
      any('b')
    },
    ['a: 1'],
  ],
  [
    'a thread that ends is not waited for any longer',
    [1, 2],
    ({ any, one, book }) => {
      any('a')
      one('load', 1)
      book.remove(1)
    },
    ['a: 1', 'load: ended'],
  ],
  [
    'a thread that ended is not handed out, even when its task is settled later',
    [1],
    ({ any, one, book }) => {
      any('a')
      book.remove(1)
      any('b')
      book.giveBack(1)
      one('load', 1)
    },
    ['a: 1', 'load: ended'],
  ],
  [
    'the thread that replaces one that ended takes over the queue',
    [1],
    ({ any, book }) => {
      any('a')
      any('b')
      book.remove(1)
      book.giveBack(1)
      book.add(2)
    },
    ['a: 1', 'b: 2'],
  ],
  [
    'who waits when all are dismissed gets no thread, and who comes later does',
    [1],
    ({ any, one, book }) => {
      any('a')
      any('b')
      one('load', 1)
      book.dismiss()
      any('c')
      book.giveBack(1)
    },
    ['a: 1', 'b: ended', 'load: ended', 'c: 1'],
  ],
  [
    'after the close nobody gets a thread, neither who waits nor who comes',
    [1],
    ({ any, one, book }) => {
      any('a')
      any('b')
      one('load', 1)
      book.close()
      book.giveBack(1)
      any('c')
      one('unload', 1)
    },
    ['a: 1', 'b: ended', 'load: ended', 'c: ended', 'unload: ended'],
  ],
]
for (const [name, threads, play, expected] of cases) {
  test(name, async () => {
    const book = createThreadBook()
    for (const threadId of threads) book.add(threadId)
    const told: string[] = []
    const note = (who: string, taking: Promise<number | undefined>) =>
      void taking.then(threadId => told.push(`${who}: ${threadId ?? 'ended'}`))
    play({
      book,
      any: who => note(who, book.take()),
      one: (who, threadId) => note(who, book.takeThread(threadId)),
    })
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(told, expected)
  })
}

test('it counts the threads that are taken', async () => {
  const book = createThreadBook()
  for (const threadId of [1, 2, 3]) book.add(threadId)
  await book.take()
  await book.takeThread(3)
  assert.equal([book.ids().length, book.busy()], [3, 2])
  book.giveBack(3)
  assert.is(book.busy(), 1)
  book.remove(1)
  assert.equal([book.ids().length, book.busy()], [2, 0])
})

test('it is idle when the last thread is given back or has ended, and nobody waits', async () => {
  const book = createThreadBook()
  await book.idle()
  book.add(1)
  await book.take()
  const second = book.take()
  let idle = false
  const becoming = book.idle().then(() => {
    idle = true
  })
  book.giveBack(1)
  await second
  await new Promise(resolve => setImmediate(resolve))
  assert.is(idle, false)
  book.remove(1)
  await becoming
})

test.run()
