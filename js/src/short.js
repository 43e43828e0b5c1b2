// What build.mjs puts in place of Math.floor and the like, which no source imports.

export const {
  abs: short_abs,
  ceil: short_ceil,
  floor: short_floor,
  max: short_max,
  min: short_min,
  round: short_round,
} = Math;
export const { isFinite: short_isFinite, isNaN: short_isNaN } = Number;
export const { from: short_from } = Array;
export const { entries: short_entries, values: short_values } = Object;
export const { stringify: short_stringify } = JSON;
export const [short_Float32Array, short_Int32Array, short_Uint8Array, short_Uint32Array] = [
  globalThis.Float32Array,
  globalThis.Int32Array,
  globalThis.Uint8Array,
  globalThis.Uint32Array,
];
