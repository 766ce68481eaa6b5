/** Einsum: the gradient by one operand is again an Einsum, of dy and the other operands. */
import { text } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import type { Differentiation, Rule, RuleTable } from '../rule.ts'
import { dimAt } from '../shape.ts'

/** Labels of every operand and of the output, one letter an axis, "..." replaced by letters of its own. */
function labelsOf(at: Differentiation): { operands: string[]; output: string } {
  const found = at.node.attributes.equation
  const equation = (found?.type === 'string' ? found.value : '').replaceAll(' ', '')
  const [left = '', right] = equation.split('->')
  const operands = left.split(',')
  const free = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].filter(
    letter => !equation.includes(letter),
  )
  const spans = operands.map((labels, index) =>
    labels.includes('...') ? at.x(index).dims.length - labels.length + 3 : 0,
  )
  const batch = free.slice(0, Math.max(0, ...spans)).join('')
  // NumPy's rule: what "..." stands for is aligned at its last axis.
  const spelled = operands.map((labels, index) =>
    labels.replace('...', batch.slice(batch.length - (spans[index] ?? 0))),
  )
  // Without an arrow: "..." first, then the labels that appear once, in alphabetical order.
  const once = [...left.replaceAll(/[,.]/g, '')]
    .filter((letter, _, all) => all.indexOf(letter) === all.lastIndexOf(letter))
    .sort()
  return {
    operands: spelled,
    output: right === undefined ? batch + once.join('') : right.replace('...', batch),
  }
}

const einsum: Rule = at => {
  const { dy, ops, x } = at
  const { operands, output } = labelsOf(at)
  if (operands.some(labels => new Set(labels).size < labels.length)) {
    at.refuse('it takes a diagonal: a label comes twice in one operand')
  }
  return operands.map((labels, index) => () => {
    const others = operands.flatMap((other, place) =>
      place === index ? [] : [{ labels: other, value: x(place) }],
    )
    const sources = [{ labels: output, value: dy }, ...others]
    const sizeOfLabel = (label: string) =>
      Math.max(
        ...sources.flatMap(source => {
          const axis = source.labels.indexOf(label)
          return axis < 0 ? [] : [dimAt(source.value.dims, axis)]
        }),
      )
    // A label of this operand alone was summed: its gradient is the same all along, which the walk repeats.
    const known = [...labels].filter(label => sources.some(source => source.labels.includes(label)))
    const equation = `${sources.map(source => source.labels).join(',')}->${known.join('')}`
    const product: Value = ops.emit(
      'Einsum',
      sources.map(({ value }) => value),
      { equation: text(equation) },
      { dims: known.map(sizeOfLabel), type: dy.type },
    )
    return ops.reshape(
      product,
      [...labels].map(label => (known.includes(label) ? sizeOfLabel(label) : 1)),
    )
  })
}

export const einsumRules: RuleTable = { Einsum: einsum }
