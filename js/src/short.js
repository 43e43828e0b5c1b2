// What build.mjs puts in place of Math.floor and the like, which no source imports.

// First, since build.mjs replaces these names in here, too.
export const {
  Float32Array: short_Float32Array,
  Int32Array: short_Int32Array,
  Uint8Array: short_Uint8Array,
  Uint32Array: short_Uint32Array,
  Map: short_Map,
  Number: short_Number,
  Set: short_Set,
  String: short_String,
  document: short_document,
} = globalThis;
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
/** @type {undefined} */
export let short_undefined;
