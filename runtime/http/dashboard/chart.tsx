/** One chart over the last minutes: uPlot in a component. */
import { useEffect, useRef } from 'hono/jsx/dom'
import uPlot from 'uplot'

export interface Series {
  label: string
  /** A custom property of the style sheet, such as `--ok`. */
  color: string
  fill?: boolean
  /** Null: a gap. */
  values: readonly (number | null)[]
}

export interface ChartProps {
  title: string
  unit: string
  /** Seconds since 1970; the series' values are of these times. */
  times: readonly number[]
  series: readonly Series[]
}

const height = 150

export function Chart({ title, unit, times, series }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  const data = [times, ...series.map(({ values }) => values)] as uPlot.AlignedData

  useEffect(() => {
    const element = place.current
    if (!element) return
    const draw = () => {
      plot.current?.destroy()
      plot.current = new uPlot(optionsOf(series, unit, element.clientWidth), data, element)
    }
    draw()
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }))
    resized.observe(element)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', draw)
    return () => {
      resized.disconnect()
      scheme.removeEventListener('change', draw)
      plot.current?.destroy()
    }
  }, [])
  useEffect(() => {
    plot.current?.setData(data)
    // Until the pointer asks for another, the legend has the newest values.
    if (times.length > 0) plot.current?.setLegend({ idx: times.length - 1 })
  }, [times])

  return (
    <figure>
      <figcaption>
        {title} <span class="unit">{unit}</span>
      </figcaption>
      <div ref={place} />
    </figure>
  )
}

/** `seconds`: since 1970. */
const clock = (seconds: number) => new Date(seconds * 1000).toLocaleTimeString('en-GB')

const colorOf = (property: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(property).trim()

function optionsOf(series: readonly Series[], unit: string, width: number): uPlot.Options {
  const axis = {
    stroke: colorOf('--muted'),
    grid: { stroke: colorOf('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  }
  const shown = (value: number | null) =>
    value === null ? '–' : `${Number(value.toPrecision(3))} ${unit}`.trim()
  return {
    width,
    height,
    cursor: { y: false },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [
      { ...axis, space: 70, values: (_plot, times) => times.map(clock) },
      { ...axis, size: 44 },
    ],
    series: [
      { label: 'at', value: (_plot, time) => (time === null ? '–' : clock(time)) },
      ...series.map(({ label, color, fill = false }) => ({
        label,
        stroke: colorOf(color),
        width: 1.5,
        ...(fill ? { fill: `${colorOf(color)}22` } : {}),
        points: { show: false },
        value: (_plot: uPlot, value: number | null) => shown(value),
      })),
    ],
  }
}
