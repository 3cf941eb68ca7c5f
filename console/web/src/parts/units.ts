/** What values are, and so how they are written and where their axis begins and ends. */
import { bytes, number, percent } from '../format';

export interface Unit {
  show: (value: number) => string;
  /** Distances that ticks may have. */
  steps?: number[];
  /** The top of the axis, if values cannot go beyond. */
  most?: number;
}

const BINARY = Array.from({ length: 52 }, (_, n) => 2 ** n);

export const BYTES: Unit = { show: bytes, steps: BINARY };
export const BYTES_PER_SECOND: Unit = { show: (it) => `${bytes(it)}/s`, steps: BINARY };
export const RATIO: Unit = { show: percent, most: 1 };
export const PLAIN: Unit = { show: number };
