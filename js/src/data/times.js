// The times of timesteps: dates, shown in their time zone, or numbers. Python's side is
// lstm_widgets/views/times.py; both write a time in the same way.
//
// A date is a number of milliseconds since 1970 in UTC, as JavaScript's Date counts them.

import { Recent } from "../lib/recent.js";
import { placeFrom } from "../lib/sorted.js";
import { minus, number } from "../lib/wording.js";
import { DAY, dateTicks, numberTicks } from "./ticks.js";

/**
 * How finely dates are written: as finely as some of them needs.
 * @typedef {"day" | "minute" | "second" | "millisecond" | "microsecond"} Resolution
 */
/**
 * Times that follow each other at equal steps: the first, the step, how many.
 * @typedef {[first: number, step: number, count: number]} Run
 */
/**
 * What Python sends of the times of a layer.
 * @typedef {object} SentTimes
 * @property {"date" | "number" | "timestep"} kind "timestep": none are known, timesteps are counted
 * @property {string} [name] what numbers count
 * @property {string} [zone] the time zone that dates are shown in, by its name or as "+02:00"
 * @property {Resolution} [resolution] of dates
 * @property {number | null} [decimals] of numbers; null if their digits are without end
 * @property {boolean} [shared] whether all examples have the same times
 * @property {Run[][]} [runs] by example, or of all; absent where there are many: these are asked for
 */
/**
 * A tick of an axis.
 * @typedef {object} Tick
 * @property {number} time
 * @property {string} text
 * @property {boolean} major whether a larger unit begins here than at others: a year among months
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** How many characters of "2003-05-17 06:00:05.250" are written. */
const WRITTEN = { day: 10, minute: 16, second: 19, millisecond: 23, microsecond: 23 };
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
/** Zones change their offset at no finer times. */
const QUARTER = 15 * MINUTE;
const KEPT_OFFSETS = 4096;
/** Of all steps between times, so many are as usual; a longer one, and a much longer one than they are. */
const [USUAL, LONGER, MUCH_LONGER] = [0.95, 1.5, 3];
/** Of fewer steps, nobody knows which are. */
const FEWEST = 3;
const OFFSET = /([+-])(\d\d):?(\d\d)$/;
const DATE =
  /^\s*(\d{4})(?:-(\d\d?)(?:-(\d\d?)(?:[T ]\s*(\d\d?)(?::(\d\d)(?::(\d\d)(\.\d+)?)?)?)?)?)?\s*(Z|[+-]\d\d:?\d\d)?\s*$/i;

/** Milliseconds of an offset such as "+02:00". @param {string} text */
function offsetIn(text) {
  const [, sign, hours, minutes] = OFFSET.exec(text) ?? [];
  return hours === undefined
    ? undefined
    : Number(`${sign}1`) * (60 * Number(hours) + Number(minutes)) * MINUTE;
}

/** Two digits. @param {number} value */
const two = (value) => String(value).padStart(2, "0");

/** How times are told: what they count, in which zone, how finely. */
export class Clock {
  /** @type {Intl.DateTimeFormat | undefined} */
  #format;
  /** A zone that is always as far from UTC; undefined for those that change. @type {number | undefined} */
  #fixed = 0;
  /** @type {Recent<number, number>} */
  #offsets = new Recent(KEPT_OFFSETS);

  /** @param {SentTimes} sent */
  constructor({ kind, name = "time", zone = "", resolution = "day", decimals = 0 }) {
    this.kind = kind;
    this.name = name;
    this.zone = zone;
    this.resolution = resolution;
    this.decimals = decimals;
    this.dates = kind === "date";
    if (zone && zone !== "UTC") {
      this.#fixed = offsetIn(zone);
      if (this.#fixed === undefined) this.#know(zone);
    }
  }

  /** @param {string} zone */
  #know(zone) {
    try {
      this.#format = new Intl.DateTimeFormat("en-US", {
        timeZone: zone,
        hourCycle: "h23",
        ...{ year: "numeric", month: "numeric", day: "numeric" },
        ...{ hour: "numeric", minute: "numeric", second: "numeric" },
      });
    } catch {
      // This browser doesn't know it, and says what it shows instead.
      this.#fixed = 0;
      this.zone = "UTC";
    }
  }

  /** How far the zone is ahead of UTC at a time, in milliseconds. @param {number} time */
  #offset(time) {
    if (this.#fixed !== undefined) return this.#fixed;
    const quarter = Math.floor(time / QUARTER) * QUARTER;
    let offset = this.#offsets.get(quarter);
    if (offset === undefined) {
      const parts = /** @type {Intl.DateTimeFormat} */ (this.#format).formatToParts(quarter);
      /** @type {Record<string, number>} */
      const at = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
      offset = Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second) - quarter;
      this.#offsets.set(quarter, offset);
    }
    return offset;
  }

  /** What a clock in the zone shows, as if that were UTC. @param {number} time */
  #wall(time) {
    return this.dates ? time + this.#offset(time) : time;
  }

  /** When a clock in the zone shows something: the first time, where it does so twice. @param {number} wall */
  #unwall(wall) {
    if (!this.dates) return wall;
    const before = this.#offset(wall - this.#offset(wall - DAY));
    const time = wall - before;
    return this.#wall(time) === wall ? time : wall - this.#offset(time);
  }

  /**
   * A time as it is written: "2003-05-17", "2003-05-17 06:00 +02:00", "17.5".
   * @param {number} time
   * @param {Resolution} [resolution] of a date
   */
  label(time, resolution = this.resolution) {
    if (!Number.isFinite(time)) return "?";
    if (!this.dates) return minus(this.#number(time));
    // What a float64 holds of so large a number is off by an eighth of a microsecond.
    const micro = Math.floor(1000 * this.#wall(time) + 0.25);
    const text = new Date(Math.floor(micro / 1000)).toISOString().replace("T", " ");
    let label = text.slice(0, WRITTEN[resolution]);
    if (resolution === "day") return label;
    if (resolution === "microsecond")
      label += String(((micro % 1000) + 1000) % 1000).padStart(3, "0");
    if (!this.zone || this.zone === "UTC") return label;
    const minutes = Math.round(this.#offset(time) / MINUTE);
    const [size, sign] = [Math.abs(minutes), minutes < 0 ? "-" : "+"];
    return `${label} ${sign}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  }

  /** @param {number} value */
  #number(value) {
    return this.decimals === null ? number(value) : value.toFixed(this.decimals);
  }

  /** A time in a sentence, with what it counts. @param {number} time */
  say(time) {
    if (this.dates) return this.label(time);
    return this.kind === "timestep" ? `t=${time}` : `${this.name} ${this.label(time)}`;
  }

  /**
   * The time that a person has written; undefined if it is none. Of a date, the end may be left out.
   * @param {string} text
   */
  parse(text) {
    if (!this.dates) {
      const value = Number(text.replace("−", "-").replace(/^\s*t\s*=/, ""));
      return text.trim() && Number.isFinite(value) ? value : undefined;
    }
    const found = DATE.exec(text.replace("−", "-"));
    if (!found) return undefined;
    const [year, month = "1", day = "1", hour = "0", minute = "0", second = "0"] = found.slice(1);
    const wall = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
    const read = new Date(wall);
    // Thirty days has September.
    if (read.getUTCMonth() !== +month - 1 || read.getUTCDate() !== +day) return undefined;
    if (+hour > 23 || +minute > 59 || +second > 59) return undefined;
    const whole = wall + SECOND * Number(found[7] ?? 0);
    const zone = found[8];
    return zone ? whole - (offsetIn(zone) ?? 0) : this.#unwall(whole);
  }

  /**
   * About so many ticks between two times, no more than half as many again, at times that suit people.
   * @param {number} from
   * @param {number} to
   * @param {number} count
   * @returns {Tick[]}
   */
  ticks(from, to, count) {
    if (!(to > from)) return [];
    for (let wanted = count; ; wanted *= 0.75) {
      const every = this.dates
        ? this.#dateTicks(from, to, wanted)
        : this.#numberTicks(from, to, wanted);
      const ticks = every.filter(({ time }) => time >= from && time <= to);
      // The nearest step that suits may be a much shorter one.
      if (ticks.length <= Math.max(2, 1.5 * count) || wanted < 1) return ticks;
    }
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {number} count
   */
  #dateTicks(from, to, count) {
    const all = dateTicks(this.#wall(from), this.#wall(to), count).map((wall) => ({
      time: this.#unwall(wall),
      ...tickOf(new Date(wall).toISOString()),
    }));
    const usual = Math.min(...all.map(({ rank }) => rank));
    return all.map(({ time, text, rank }) => ({ time, text, major: rank > usual }));
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {number} count
   */
  #numberTicks(from, to, count) {
    const { ticks, decimals } = numberTicks(from, to, count, this.decimals === 0);
    const long = Math.max(Math.abs(from), Math.abs(to)) >= 1e15;
    return ticks.map((time) => ({
      time,
      text: minus(long ? String(time) : time.toFixed(Math.min(20, decimals))),
      major: false,
    }));
  }

  /**
   * What ticks leave unsaid, since it is the same for those at the left: of months the year, of hours the
   * day. What numbers count.
   * @param {number} from
   * @param {Tick[]} ticks
   */
  context(from, ticks) {
    if (!this.dates) return this.name;
    const date = new Date(this.#wall(from));
    const year = String(date.getUTCFullYear());
    const month = MONTHS[date.getUTCMonth()];
    const steps = ticks.slice(1).map(({ time }, i) => time - ticks[i].time);
    const step = ticks.length > 1 ? Math.min(...steps) : 0;
    if (step >= 360 * DAY) return this.name;
    if (step >= 27 * DAY) return year;
    return step >= 0.9 * DAY ? `${month} ${year}` : `${date.getUTCDate()} ${month} ${year}`;
  }
}

/**
 * What stands at a tick, and the size of the unit that begins there.
 * @param {string} iso "2003-05-17T06:00:00.000Z"
 */
function tickOf(iso) {
  const [date, clock] = iso.slice(0, -1).split("T");
  const [day, month, ...year] = date.split("-").reverse();
  const name = MONTHS[Number(month) - 1];
  if (clock !== "00:00:00.000") {
    if (!clock.endsWith(".000")) return { text: clock.slice(6), rank: 0 };
    if (!clock.endsWith(":00.000")) return { text: clock.slice(0, 8), rank: 1 };
    return { text: clock.slice(0, 5), rank: 2 };
  }
  if (day !== "01") return { text: `${Number(day)} ${name}`, rank: 3 };
  return month === "01" ? { text: year.reverse().join("-"), rank: 5 } : { text: name, rank: 4 };
}

/** Times of timesteps that are only counted. */
const COUNTED = new Clock({ kind: "timestep", name: "timestep" });

/** The times of one example: which one each timestep has, and which timestep has a time. */
export class Times {
  /** Of runs: the first timestep of each. */
  #starts = new Float64Array(0);
  /** @type {Run[]} */
  #runs = [];
  /** Where there are no runs: each time. @type {Float64Array} */
  #values = new Float64Array(0);
  /** @type {Int32Array | undefined} */
  #gaps;

  /**
   * @param {Clock} clock
   * @param {Run[] | Float64Array} given ascending
   */
  constructor(clock, given) {
    this.clock = clock;
    this.count = given.length;
    /** Whether all follow each other at equal steps. */
    this.even = !(given instanceof Float64Array) && given.length < 2;
    if (given instanceof Float64Array) {
      this.#values = given;
    } else {
      this.#runs = given;
      this.#starts = new Float64Array(given.length);
      this.count = given.reduce((start, [, , count], i) => {
        this.#starts[i] = start;
        return start + count;
      }, 0);
    }
  }

  /** Those of timesteps that are only counted. @param {number} count */
  static counted(count) {
    return new Times(COUNTED, [[0, 1, count]]);
  }

  /** @param {number} timestep */
  at(timestep) {
    if (this.#runs.length === 0) return this.#values[timestep];
    const after = placeFrom(this.#starts, timestep + 1);
    const [first, step] = this.#runs[Math.max(0, after - 1)];
    return first + step * (timestep - this.#starts[Math.max(0, after - 1)]);
  }

  /**
   * The timesteps before which some are missing. Of regular times, as of days, one that is left out is; where
   * steps differ, as over weekends, it takes a much longer one than is usual.
   * @returns {Int32Array}
   */
  get gaps() {
    this.#gaps ??= gapsOf(this);
    return this.#gaps;
  }

  /** The first timestep whose time isn't before another; their number, if all are. @param {number} time */
  from(time) {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The timestep whose time is nearest to another. @param {number} time */
  nearest(time) {
    const after = Math.min(this.from(time), this.count - 1);
    const before = Math.max(0, after - 1);
    return time - this.at(before) < this.at(after) - time ? before : after;
  }

  /** The time of a timestep as it is written. @param {number} timestep */
  label(timestep) {
    return this.clock.label(this.at(timestep));
  }

  /** The time of a timestep in a sentence. @param {number} timestep */
  say(timestep) {
    return this.clock.say(this.at(timestep));
  }

  /**
   * Ticks over some timesteps, each at the first timestep that isn't before it.
   * @param {number} first
   * @param {number} last
   * @param {number} count about how many
   * @returns {(Tick & {timestep: number})[]}
   */
  ticks(first, last, count) {
    const [from, to] = [this.at(first), this.at(last)];
    // None between two timesteps: there is nothing to point at.
    const ticks = this.clock.ticks(from, to, Math.min(count, last - first));
    const placed = ticks.map((tick) => {
      const timestep = this.from(tick.time);
      // What is between two numbers is told by neither.
      const text = this.clock.dates ? tick.text : this.label(timestep);
      return { ...tick, text, timestep };
    });
    // Of those over a gap, the one that is nearest to what stands behind it.
    return placed.filter(({ timestep }, i) => timestep !== placed[i + 1]?.timestep);
  }
}

/** Python's side is gaps() in lstm_widgets/views/times.py. @param {Times} times */
function gapsOf(times) {
  const count = times.even ? 0 : times.count - 1;
  if (count < FEWEST) return new Int32Array(0);
  const steps = Float64Array.from({ length: count }, (_, i) => times.at(i + 1) - times.at(i));
  const sorted = steps.slice().sort();
  const [middle, usual] = [0.5, USUAL].map((share) => sorted[Math.floor(share * (count - 1))]);
  const far = usual * (usual <= LONGER * middle ? LONGER : MUCH_LONGER);
  /** @type {number[]} */
  const found = [];
  for (let i = 0; i < count; i++) {
    if (steps[i] <= far) continue;
    // Where all around are as long, times are only rarer there.
    const beside = Math.min(steps[i - 1] ?? Infinity, steps[i + 1] ?? Infinity);
    if (steps[i] > LONGER * beside) found.push(i + 1);
  }
  return Int32Array.from(found);
}

/**
 * Times out of the bytes that Python packs them into: the number of runs and then these, or 0 and then
 * each time.
 * @param {Clock} clock
 * @param {Uint8Array} packed
 */
export function unpacked(clock, packed) {
  const all = new Float64Array(Uint8Array.from(packed).buffer);
  const rest = all.subarray(1);
  if (all[0] === 0) return new Times(clock, rest);
  /** @type {Run[]} */
  const runs = [];
  for (let i = 0; i < rest.length; i += 3) runs.push([rest[i], rest[i + 1], rest[i + 2]]);
  return new Times(clock, runs);
}
