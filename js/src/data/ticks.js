// Where ticks stand that suit people: at round numbers, at dates where something begins.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
/** On average. */
const MONTH = 30.436875 * DAY;
const YEAR = 12 * MONTH;
/** The first Sunday since 1970. */
const SUNDAY = 3 * DAY;

/** From one date to the next, between a second and a year. */
const STEPS = [
  ...[1, 5, 15, 30].map((many) => many * SECOND),
  ...[1, 5, 15, 30].map((many) => many * MINUTE),
  ...[1, 3, 6, 12].map((many) => many * HOUR),
  ...[DAY, 2 * DAY, WEEK, MONTH, 3 * MONTH, YEAR],
];

/**
 * The one of some steps that is nearest to a length: it is as many times longer as another is shorter.
 * @param {number[]} steps ascending
 * @param {number} length
 */
function nearest(steps, length) {
  const i = steps.findIndex((step, k) => length ** 2 < step * steps[k + 1]);
  return steps.at(i) ?? 1;
}

/** Of a length: the round number nearest to it, as digit and power of ten. @param {number} length */
function roundOf(length) {
  const power = Math.floor(Math.log10(length));
  return { digit: nearest([1, 2, 5, 10], length / 10 ** power), power };
}

/** @param {number} length */
function round(length) {
  const { digit, power } = roundOf(length);
  return digit * 10 ** power;
}

/**
 * Whole numbers, both ends included.
 * @param {number} first
 * @param {number} last
 */
const wholes = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/**
 * About so many round numbers between two.
 * @param {number} from
 * @param {number} to more than that
 * @param {number} count
 * @param {boolean} whole whether only whole numbers will do
 * @returns {{ticks: number[], decimals: number}} with how many of their decimals tell one from the next
 */
export function numberTicks(from, to, count, whole) {
  const rough = (to - from) / count;
  const { digit, power } = roundOf(whole ? Math.max(1, rough) : rough);
  const step = digit * 10 ** power;
  // Whole numbers divided by a power of ten are as exact as what is written as a decimal.
  const at = (/** @type {number} */ i) =>
    power < 0 ? (i * digit) / 10 ** -power : i * digit * 10 ** power;
  return {
    ticks: wholes(Math.floor(from / step), Math.ceil(to / step)).map(at),
    decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)),
  };
}

/**
 * About so many dates between two: where milliseconds, …, years begin.
 * @param {number} from in milliseconds since 1970 of a clock that is never changed
 * @param {number} to more than that
 * @param {number} count
 * @returns {number[]}
 */
export function dateTicks(from, to, count) {
  const rough = (to - from) / count;
  const years = rough / YEAR;
  const step =
    rough < SECOND
      ? Math.max(1, round(rough))
      : years > 1
        ? YEAR * round(years)
        : nearest(STEPS, rough);
  const months = Math.round(step / MONTH);
  const start = step === WEEK ? SUNDAY : 0;
  const [first, last] = [from, to].map((time) => {
    const date = new Date(time);
    return months
      ? (12 * date.getUTCFullYear() + date.getUTCMonth()) / months
      : (time - start) / step;
  });
  return wholes(Math.floor(first), Math.ceil(last))
    .map((i) => (months ? new Date(0).setUTCFullYear(0, i * months, 1) : start + i * step))
    .filter((time) => time >= from && time <= to);
}
