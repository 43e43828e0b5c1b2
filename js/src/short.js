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
