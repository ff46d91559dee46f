// The number formats of GGML's tensors, on plain arrays: Q8_0 unpacked, and
// F32, F16, Q4_0 and Q4_K packed. Block layouts are ggml's; every step rounds in
// a fixed order, so the same floats give the same bytes on every machine.

const scratch = new DataView(new ArrayBuffer(4));

/** @param {number} value @returns {number} its IEEE half bits, ties to even */
export function toHalf(value) {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(Math.fround(value));
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundEven(magnitude * 2 ** 24);
  const exponent = ((bits >>> 23) & 0xff) - 127;
  return sign | (roundEven((magnitude / 2 ** exponent) * 1024) + ((exponent + 14) << 10));
}

/** @param {number} value @returns {number} the nearest integer, ties to even */
function roundEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** @param {number} half IEEE half bits @returns {number} */
export function fromHalf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** @param {Uint8Array} data @returns {DataView} */
const viewOf = (data) => new DataView(data.buffer, data.byteOffset, data.byteLength);

/** Q8_0, 34 bytes for 32 values: half scale | 32 signed bytes. @param {Uint8Array} data @returns {Float32Array} */
export function unpackQ8(data) {
  const view = viewOf(data);
  const values = new Float32Array((data.length / 34) * 32);
  for (let at = 0; at < values.length; at += 1) {
    const block = Math.floor(at / 32) * 34;
    values[at] = fromHalf(view.getUint16(block, true)) * view.getInt8(block + 2 + (at % 32));
  }
  return values;
}

/** @param {Float32Array} values @returns {Uint8Array} */
export function packF32(values) {
  const data = new Uint8Array(values.length * 4);
  const view = viewOf(data);
  for (const [at, value] of values.entries()) view.setFloat32(at * 4, value, true);
  return data;
}

/** @param {Float32Array} values @returns {Uint8Array} */
export function packF16(values) {
  const data = new Uint8Array(values.length * 2);
  const view = viewOf(data);
  for (const [at, value] of values.entries()) view.setUint16(at * 2, toHalf(value), true);
  return data;
}

/** Q4_0, 18 bytes for 32 values: half scale | low halves 0..15, high halves 16..31. @param {Float32Array} values @returns {Uint8Array} */
export function packQ4(values) {
  const data = new Uint8Array((values.length / 32) * 18);
  const view = viewOf(data);
  for (let block = 0; block < values.length / 32; block += 1) {
    const row = values.subarray(block * 32, block * 32 + 32);
    const largest = row.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
    const scale = Math.fround(largest / -8);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const level = (/** @type {number} */ value) =>
      Math.min(15, Math.trunc(Math.fround(Math.fround(value * inverse) + 8.5)));
    view.setUint16(block * 18, toHalf(scale), true);
    for (let at = 0; at < 16; at += 1) {
      data[block * 18 + 2 + at] = level(row[at]) | (level(row[at + 16]) << 4);
    }
  }
  return data;
}

/** @typedef {{ scale: number, floor: number }} Fit values are scale * level - floor, floor >= 0 */

/** @param {Float32Array} row @param {Fit} fit @param {number} at @returns {number} its level, 0..15 */
function levelOf(row, { scale, floor }, at) {
  if (scale === 0) return 0;
  return Math.max(0, Math.min(15, Math.round((row[at] + floor) / scale)));
}

/** @param {Float32Array} row @param {Fit} fit @returns {number} the squared error it leaves */
function errorOf(row, fit) {
  let error = 0;
  for (let at = 0; at < row.length; at += 1) {
    error += (fit.scale * levelOf(row, fit, at) - fit.floor - row[at]) ** 2;
  }
  return error;
}

/** @param {Float32Array} row @param {Fit} fit @returns {Fit} the least-squares line through the fit's levels */
function refine(row, fit) {
  let [levels, squares, values, products] = [0, 0, 0, 0];
  for (let at = 0; at < row.length; at += 1) {
    const level = levelOf(row, fit, at);
    levels += level;
    squares += level * level;
    values += row[at];
    products += level * row[at];
  }
  const spread = row.length * squares - levels * levels;
  if (spread <= 0) return fit;
  const scale = (row.length * products - levels * values) / spread;
  const floor = (scale * levels - values) / row.length;
  if (floor >= 0) return { scale, floor };
  return { scale: products / squares, floor: 0 };
}

/** @param {Float32Array} row 32 values @returns {Fit} the best of a few trial scales */
function fitRow(row) {
  const low = Math.min(0, ...row);
  const high = Math.max(...row, low);
  let best = { scale: (high - low) / 15, floor: -low };
  if (high === low) return { scale: 0, floor: -low };
  let least = errorOf(row, best);
  for (let step = -10; step <= 10; step += 4) {
    const trial = refine(row, { scale: (high - low) / (15 + step / 10), floor: -low });
    const error = errorOf(row, trial);
    if (error < least) [best, least] = [trial, error];
  }
  return best;
}

/**
 * Packs eight 6-bit scales and floors into Q4_K's twelve bytes:
 * bytes 0..3 scales 0..3 | 4..7 floors 0..3 | 8..11 low halves of 4..7; the
 * upper two bits of the last four go into the tops of bytes 0..7.
 * @param {number[]} scales @param {number[]} floors @returns {Uint8Array}
 */
function packSixBits(scales, floors) {
  const bytes = new Uint8Array(12);
  for (let at = 0; at < 4; at += 1) {
    bytes[at] = scales[at] | ((scales[at + 4] >> 4) << 6);
    bytes[at + 4] = floors[at] | ((floors[at + 4] >> 4) << 6);
    bytes[at + 8] = (scales[at + 4] & 15) | ((floors[at + 4] & 15) << 4);
  }
  return bytes;
}

/** @param {number} value @param {number} unit @returns {number} value / unit in 0..63 */
const sixBits = (value, unit) => (unit === 0 ? 0 : Math.max(0, Math.min(63, Math.round(value / unit))));

/** Q4_K, 144 bytes for 256 values: half scale, half floor | 12 | 128. @param {Float32Array} values 256 of them @returns {Uint8Array} */
function packSuperBlock(values) {
  const rows = Array.from({ length: 8 }, (_, row) => values.subarray(row * 32, row * 32 + 32));
  const fits = rows.map(fitRow);
  const scaleHalf = toHalf(Math.max(...fits.map(({ scale }) => scale)) / 63);
  const floorHalf = toHalf(Math.max(...fits.map(({ floor }) => floor)) / 63);
  const [scaleUnit, floorUnit] = [fromHalf(scaleHalf), fromHalf(floorHalf)];
  const scales = fits.map(({ scale }) => sixBits(scale, scaleUnit));
  const floors = fits.map(({ floor }) => sixBits(floor, floorUnit));
  const level = (/** @type {number} */ row, /** @type {number} */ at) =>
    levelOf(rows[row], { scale: scaleUnit * scales[row], floor: floorUnit * floors[row] }, at);
  const data = new Uint8Array(144);
  viewOf(data).setUint16(0, scaleHalf, true);
  viewOf(data).setUint16(2, floorHalf, true);
  data.set(packSixBits(scales, floors), 4);
  for (let at = 0; at < 128; at += 1) {
    const row = 2 * Math.floor(at / 32);
    data[16 + at] = level(row, at % 32) | (level(row + 1, at % 32) << 4);
  }
  return data;
}

/** @param {Float32Array} values a multiple of 256 @returns {Uint8Array} */
export function packQ4K(values) {
  const data = new Uint8Array((values.length / 256) * 144);
  for (let block = 0; block < values.length / 256; block += 1) {
    data.set(packSuperBlock(values.subarray(block * 256, block * 256 + 256)), block * 144);
  }
  return data;
}
