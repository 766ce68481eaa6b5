// Arrivals in bursts, minute by minute. The shape is that of the Azure Functions trace of 2019 as it was described
// (Shahrad et al., "Serverless in the Wild", USENIX ATC 2020): counts a minute that follow the time of day, that stay
// high or low for some minutes, and that jump where timers fire together. It is a generator of that shape, not the trace.

export interface BurstShape {
  /** Arrivals a minute, in the mean over a day. */
  mean: number
  /** Uniform from 0 to 1. */
  random: () => number
}

/** Time of day: the least busy hour has about half of what the busiest has. */
const dailySwing = 0.33
/** Logarithm of the rate: what is left of it after a minute, and its deviation. */
const persistence = 0.8
const deviation = 0.5
/** Timers: on the hour, and at each fifth minute. */
const spikes = { hour: 3, fifth: 1.5 }

/** Expected arrivals of each of `minutes`, from midnight on. */
export function minuteRates(minutes: number, { mean, random }: BurstShape): number[] {
  let drift = 0
  return Array.from({ length: minutes }, (_, minute) => {
    drift = persistence * drift + Math.sqrt(1 - persistence ** 2) * deviation * normal(random)
    const ofDay = 1 - dailySwing * Math.cos((2 * Math.PI * minute) / 1440)
    const timers = minute % 60 === 0 ? spikes.hour : minute % 5 === 0 ? spikes.fifth : 1
    // A lognormal's mean is above its median: taken out, so that the mean stays what was asked.
    return mean * ofDay * timers * Math.exp(drift - deviation ** 2 / 2)
  })
}

/** Times of arrival in ms when a minute takes `minuteMs`: a Poisson process of each minute's rate. */
export function* burstTimes(
  rates: readonly number[],
  { minuteMs, random }: { minuteMs: number; random: () => number },
): Generator<number> {
  for (const [minute, rate] of rates.entries()) {
    for (let at = 0; ; ) {
      at += (-Math.log(1 - random()) / rate) * minuteMs
      if (at >= minuteMs) break
      yield minute * minuteMs + at
    }
  }
}

/** Box and Muller, 1958. */
const normal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
