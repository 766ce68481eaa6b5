/** Lines of text as labels, receipts and signs carry them, made from the vocabulary of their kind. */
import type { Random } from './random.ts'
import { remainderOf, type TextKind, vocabulary } from './vocabulary.ts'

type Case = (word: string) => string

const capitalised: Case = word => word.charAt(0).toUpperCase() + word.slice(1)
const cases: readonly [Case, ...Case[]] = [capitalised, capitalised, word => word, word => word.toUpperCase()]

type Form = (word: () => string, number: () => number) => string

const forms: readonly [Form, ...Form[]] = [
  word => word(),
  word => word(),
  word => `${word()} ${word()}`,
  word => `${word()} ${word()}`,
  word => `${word()} & ${word()}`,
  word => `${word()}, ${word()}`,
  (word, number) => `${word()} ${number()}`,
  (word, number) => `${number()} ${word()}`,
  (word, number) => `${word()}: ${number()}`,
  (word, number) => `${word()} #${number()}`,
]

export function lineOfText(random: Random, kind: TextKind): string {
  const words = vocabulary(kind)
  const cased = random.pick(cases)
  const form = random.pick(forms)
  return form(
    () => cased(random.pick(words)),
    () => 2 * random.integer(5, 4999) + remainderOf(kind),
  )
}

/** The words and numbers of a line, without case and punctuation: what two kinds never share. */
export function tokensOf(line: string): string[] {
  return line.toLowerCase().match(/[a-z]+|\d+/g) ?? []
}
