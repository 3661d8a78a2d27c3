/** Latest windows that count: an average of more would not notice that a link became better. */
const KEPT = 12;

/** Speeds of windows under the same conditions: their average, and how far it can be trusted. */
export interface SpeedSample {
  add(bytesPerSecond: number): void;
  readonly count: number;
  /** 0 while there is none. */
  readonly mean: number;
  /** Standard error of the mean; 0 for fewer than two speeds, which show no noise. */
  readonly standardError: number;
}

export function createSpeedSample(): SpeedSample {
  const speeds: number[] = [];
  const mean = () => (speeds.length === 0 ? 0 : speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length);
  return {
    add(bytesPerSecond) {
      speeds.push(bytesPerSecond);
      if (speeds.length > KEPT) speeds.shift();
    },
    get count() {
      return speeds.length;
    },
    get mean() {
      return mean();
    },
    get standardError() {
      if (speeds.length < 2) return 0;
      const center = mean();
      const squares = speeds.reduce((sum, speed) => sum + (speed - center) ** 2, 0);
      return Math.sqrt(squares / (speeds.length - 1) / speeds.length);
    },
  };
}
