// Values as they are written in Python.

/** @param {unknown} value what JSON can hold @returns {string} */
export function python(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) {
    const parts = value.map(python);
    return parts.length === 1 ? `(${parts[0]},)` : `(${parts.join(", ")})`;
  }
  return JSON.stringify(value);
}

/**
 * A call by keywords.
 * @param {string} begin the name that is called, a bracket, and what stands before the keywords
 * @param {[string, unknown][]} keywords
 */
export function call(begin, keywords) {
  return `${[begin, ...keywords.map(([name, value]) => `${name}=${python(value)}`)].join(", ")})`;
}
