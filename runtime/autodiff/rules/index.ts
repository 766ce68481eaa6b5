/** The table of gradient rules: standard operator -> vector-Jacobian product. A new operator is one line in its family's file. */

import type { RuleTable } from '../rule.ts'
import { activationRules } from './activation.ts'
import { convRules } from './conv.ts'
import { einsumRules } from './einsum.ts'
import { elementwiseRules } from './elementwise.ts'
import { indexSelectionRules } from './index-selection.ts'
import { layerNormalizationRules } from './layer-normalization.ts'
import { layoutRules } from './layout.ts'
import { localResponseRules } from './local-response.ts'
import { matMulRules } from './matmul.ts'
import { normalizationRules } from './normalization.ts'
import { notDifferentiableRules } from './not-differentiable.ts'
import { padRules } from './pad.ts'
import { poolRules } from './pool.ts'
import { rearrangeRules } from './rearrange.ts'
import { reduceRules } from './reduce.ts'
import { resizeRules } from './resize.ts'
import { softActivationRules } from './soft-activation.ts'
import { trigonometryRules } from './trigonometry.ts'

export const rules: RuleTable = {
  ...activationRules,
  ...einsumRules,
  ...rearrangeRules,
  ...padRules,
  ...resizeRules,
  ...indexSelectionRules,
  ...trigonometryRules,
  ...softActivationRules,
  ...convRules,
  ...elementwiseRules,
  ...layerNormalizationRules,
  ...layoutRules,
  ...localResponseRules,
  ...matMulRules,
  ...normalizationRules,
  ...notDifferentiableRules,
  ...poolRules,
  ...reduceRules,
}
