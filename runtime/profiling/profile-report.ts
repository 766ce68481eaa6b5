/** The report beside a profile: one page that needs nothing else, with its curves, its table and what was chosen. Pure. */
import { foundAtLoad, latencyLimitMs, yardstickOf } from './bounds.ts'
import { type Chart, chartSvg, escapeText, type Mark, type Series } from './chart.ts'
import { curveOf } from './curve.ts'
import type { MeasuredPoint, Profile, ProfiledOperatingPoint } from './profile.ts'
import { boundsText, loadText, profileFindings, profileRows } from './profile-table.ts'
import type { SearchPoint } from './space.ts'

export function profileReport(profile: Profile): string {
  const { key, createdAt } = profile
  const { header, rows } = profileRows(profile)
  const cells = (tag: 'th' | 'td', row: readonly string[]) =>
    `<tr>${row.map(text => `<${tag}>${escapeText(text)}</${tag}>`).join('')}</tr>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Corun profile: ${escapeText(key.device)}</title>
<style>${style}</style>
<h1>${escapeText(key.device)}</h1>
<p>Measured ${escapeText(createdAt)} with onnxruntime ${escapeText(key.onnxruntime)} on ${escapeText(key.provider)}. Load: ${escapeText(loadText(profile))}.<br>${escapeText(boundsText(profile))}</p>
<div class="cards">${card('Alone', profile.alone)}${card('Beside training', profile.besideTraining)}</div>
<div class="charts">${chartsOf(profile).map(chartSvg).join('')}</div>
<ul>${profileFindings(profile)
    .map(text => `<li>${escapeText(text)}</li>`)
    .join('')}</ul>
<table><thead>${cells('th', header)}</thead><tbody>${rows.map(row => cells('td', row)).join('')}</tbody></table>
</html>
`
}

function card(title: string, point: ProfiledOperatingPoint): string {
  const { threads, intraOpThreads, batch, trainer } = point
  const details = [
    `batches of up to ${batch}`,
    `${intraOpThreads} intra-op thread${intraOpThreads === 1 ? '' : 's'} a session`,
    ...(trainer ? [`trainer on ${trainer.threads} threads, ${trainer.microBatch} pictures at once`] : []),
  ]
  return `<section><h2>${title}</h2><p class="big">${threads} <small>at once</small></p><p>${escapeText(details.join(' · '))}</p><p class="why">${escapeText(point.reason)}</p></section>`
}

/** Epochs at four concurrent inferences over those alone, as the study that this follows has measured them (doi 10.3390/s24165262). */
const study = [
  { network: 'MobileNetV3-Small', stretch: 1.56 },
  { network: 'ResNet50', stretch: 1.82 },
  { network: 'EfficientNetV2-L', stretch: 1.48 },
]
const longest = Math.max(...study.map(({ stretch }) => stretch))
const studyConcurrency = 4

/** The curves through both chosen points, without batches, against concurrency. */
export function chartsOf(profile: Profile): Chart[] {
  const { bounds, trainingAlone } = profile
  const curves = [
    { name: 'alone', style: 'a', point: searchPoint(profile.alone, false) },
    { name: 'beside training', style: 'b', point: searchPoint(profile.besideTraining, true) },
  ].map(curve => ({ ...curve, points: curveOf(profile, curve.point, { bounds }) }))
  const x = 'concurrent inferences'
  const series = (of: (point: MeasuredPoint) => number | null): Series[] =>
    curves.flatMap(({ name, style, points }) => {
      const shown = points.flatMap(point => {
        const y = of(point)
        return y === null ? [] : [{ x: point.threads, y }]
      })
      return shown.length === 0 ? [] : [{ name, style, points: shown }]
    })
  const chosen = (of: (point: MeasuredPoint) => number): Mark[] =>
    curves.flatMap(({ name, style, point, points }) =>
      points
        .filter(({ threads }) => threads === point.threads)
        .map(found => ({ x: found.threads, y: of(found), style, text: `chosen ${name}` })),
    )
  const limitMs = latencyLimitMs(profile.points, bounds)
  const { percentile } = bounds
  const mebibytes = (bytes: number) => bytes / 2 ** 20
  const charts: Chart[] = [
    {
      title: 'Throughput',
      ...{ x, y: 'inferences a second' },
      series: series(({ throughput }) => throughput),
      marks: chosen(({ throughput }) => throughput),
    },
    {
      title: `Latency, ${percentile}`,
      ...{ x, y: 'milliseconds' },
      series: series(({ latencyMs }) => latencyMs[percentile]),
      levels: limitMs === undefined ? [] : [{ y: limitMs, text: `bound ${limitMs.toFixed(1)} ms` }],
      marks: chosen(({ latencyMs }) => latencyMs[percentile]),
    },
    {
      title: 'Memory at the peak',
      ...{ x, y: 'MiB' },
      series: [
        ...series(({ peakMemoryBytes }) => mebibytes(peakMemoryBytes)),
        ...series(({ deviceMemoryBytes }) => deviceMemoryBytes && mebibytes(deviceMemoryBytes)).map(line => ({
          ...line,
          name: `device, ${line.name}`,
          dashed: true,
        })),
      ],
      marks: chosen(({ peakMemoryBytes }) => mebibytes(peakMemoryBytes)),
    },
  ]
  const alone = trainingAlone?.epochSeconds ?? null
  const [epochs] = series(({ epochSeconds }) => epochSeconds)
  if (alone !== null && epochs !== undefined) {
    charts.splice(2, 0, {
      title: 'Epoch of training beside',
      ...{ x: `${x} (0: training alone)`, y: 'seconds' },
      series: [
        { ...epochs, name: 'epoch', points: [{ x: 0, y: alone }, ...epochs.points] },
        {
          name: 'the study: x1.48 to x1.82 at 4',
          style: 'c',
          dashed: true,
          points: [
            { x: 0, y: alone },
            { x: studyConcurrency, y: alone * longest },
          ],
        },
      ],
      marks: [
        ...besideLoad(profile),
        ...study.map(({ network, stretch }) => ({
          x: studyConcurrency,
          y: alone * stretch,
          style: 'c',
          text: `${network} in the study: x${stretch} at ${studyConcurrency}`,
        })),
      ],
      levels: [
        {
          y: alone * bounds.maxEpochStretch,
          text: `bound beside the expected load: x${bounds.maxEpochStretch}`,
        },
      ],
    })
  }
  return charts
}

/** An epoch at the chosen point beside the load that is expected, where its bound is held. */
function besideLoad(profile: Profile): Mark[] {
  const chosen = { ...searchPoint(profile.besideTraining, true), batch: profile.besideTraining.batch }
  const found = foundAtLoad(chosen, yardstickOf(profile, profile.bounds))
  if (found === undefined || found.epochSeconds === null) return []
  const text = `chosen, beside ${found.rate} requests a second`
  return [{ x: found.threads, y: found.epochSeconds, style: 'b', text }]
}

const searchPoint = (point: ProfiledOperatingPoint, training: boolean): SearchPoint => ({
  threads: point.threads,
  intraOpThreads: point.intraOpThreads,
  batch: 1,
  training,
  trainerThreads: point.trainer?.threads ?? null,
  microBatch: point.trainer?.microBatch ?? null,
})

const style = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2430; --soft: #66707f; --line: #dfe3e8; --a: #1769c4; --b: #c2410c; --c: #7a828e }
@media (prefers-color-scheme: dark) { :root { --paper: #14181e; --ink: #e6e9ee; --soft: #98a2b0; --line: #2c333d; --a: #6bb0ff; --b: #ff9a5c; --c: #8b94a1 } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; max-width: 1120px; margin: 2rem auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1rem; margin: 0; color: var(--soft); font-weight: 600 }
.cards, .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 1rem; margin: 1.25rem 0 }
section { border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem }
section:nth-child(1) { border-top: 4px solid var(--a) } section:nth-child(2) { border-top: 4px solid var(--b) }
section p { margin: .25rem 0 } .big { font-size: 2.2rem; line-height: 1.2; font-weight: 650 } .big small { font-size: 1rem; font-weight: 400; color: var(--soft) }
.why, li { color: var(--soft) }
svg { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 10px; font: 12px system-ui, sans-serif }
.title { font-size: 15px; font-weight: 650; fill: var(--ink) } .tick, .label, .note { fill: var(--soft) } .note { font-size: 11px }
.grid { stroke: var(--line) } .axis { stroke: var(--soft) } .level { stroke: var(--soft); stroke-dasharray: 2 4 }
.line { fill: none; stroke-width: 2.2; stroke: var(--s) } .dot { fill: var(--s) } .mark { fill: none; stroke: var(--s); stroke-width: 2 } .dashed { stroke-dasharray: 6 4 }
.a { --s: var(--a) } .b { --s: var(--b) } .c { --s: var(--c) }
table { border-collapse: collapse; font: 12px ui-monospace, monospace; display: block; overflow-x: auto; white-space: nowrap }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--line) } th { color: var(--soft); font-weight: 600 }
`
