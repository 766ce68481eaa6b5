/** The nodes between what is differentiated by and where the gradient starts, and whether each has a rule. */
import { CorunError } from '../core/errors.ts'
import type { Node } from '../onnx/index.ts'
import type { Rule } from './rule.ts'
import { rules } from './rules/index.ts'

export interface PathRequest {
  /** The forward nodes, in order. */
  nodes: readonly Node[]
  /** Names of the values whose gradient is known, where the walk starts. */
  from: Iterable<string>
  /** The tensors to differentiate by. */
  wanted: ReadonlySet<string>
}

export interface PathNode {
  node: Node
  rule: Rule
  /** Names among the inputs whose gradient leads to a wanted tensor. */
  needed: ReadonlySet<string>
}

/** In forward order. `missing`: nodes on the path that have no rule; without them the path has gaps. */
export function findPath({ nodes, from, wanted }: PathRequest): { path: PathNode[]; missing: Node[] } {
  const influenced = new Set(wanted)
  const candidates: (Omit<PathNode, 'rule'> & { rule: Rule | undefined })[] = []
  for (const node of nodes) {
    const needed = new Set(node.inputs.filter(name => influenced.has(name)))
    const entry = node.domain === '' ? rules[node.opType] : undefined
    if (needed.size === 0 || (entry && typeof entry !== 'function')) continue
    candidates.push({ node, rule: entry, needed })
    for (const output of node.outputs) if (output) influenced.add(output)
  }
  const leading = new Set(from)
  const path: PathNode[] = []
  const missing: Node[] = []
  for (const { node, rule, needed } of candidates.reverse()) {
    if (!node.outputs.some(output => leading.has(output))) continue
    for (const name of needed) leading.add(name)
    if (rule) path.push({ node, rule, needed })
    else missing.push(node)
  }
  return { path: path.reverse(), missing: missing.reverse() }
}

/**
 * @param blocks parameter names block by block, the head last
 * @throws CorunError `not-trainable` naming every operator on the path that has no rule, with all its nodes and
 *   the most blocks that train without any of them
 */
export function refuseMissing(request: PathRequest, blocks: readonly (readonly string[])[] = []): void {
  const { missing } = findPath(request)
  if (missing.length === 0) return
  const operators = new Map<string, string[]>()
  for (const { opType, domain, name, outputs } of missing) {
    const operator = domain ? `${domain}.${opType}` : opType
    operators.set(operator, [...(operators.get(operator) ?? []), name || (outputs[0] ?? '')])
  }
  const list = [...operators].map(([operator, names]) => `${operator} (${names.join(', ')})`).join('; ')
  const lastBlocks = mostBlocks(request, blocks)
  const advice =
    lastBlocks === undefined
      ? 'every choice of last blocks needs them'
      : `train no more than ${lastBlocks === 0 ? "the 'head'" : `{ lastBlocks: ${lastBlocks} }`}`
  const hint = blocks.length === 0 ? '' : `: ${advice}`
  throw new CorunError('not-trainable', `no gradient rule for ${list}${hint}`, {
    details: {
      operators: Object.fromEntries(operators),
      ...(lastBlocks === undefined ? {} : { lastBlocks }),
    },
  })
}

/** The most blocks beside the head whose training meets no operator without a rule. */
function mostBlocks(request: PathRequest, blocks: readonly (readonly string[])[]): number | undefined {
  for (let first = 0; first < blocks.length; first++) {
    const wanted = new Set(blocks.slice(first).flat())
    if (findPath({ ...request, wanted }).missing.length === 0) return blocks.length - 1 - first
  }
  return undefined
}
