// Student's t distribution with any number of degrees of freedom: its tails, and the quantile of
// 95 % intervals. test/bench/significance.test.ts compares both with values that scipy computed.

/** How likely |t| or more is: both tails. @param degrees of freedom, above 0, need not be whole */
export function studentTails(t: number, degrees: number): number {
  return incompleteBeta(degrees / (degrees + t ** 2), degrees / 2, 0.5);
}

/** The 97.5 % quantile: both tails beyond it are 5 %. */
export function studentQuantile(degrees: number): number {
  let [low, high] = [0, 2];
  while (studentTails(high, degrees) > 0.05) high *= 2;
  for (let step = 0; step < 100; step += 1) {
    const middle = (low + high) / 2;
    if (studentTails(middle, degrees) > 0.05) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The regularized incomplete beta function. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side of its mean; the other side is the mirrored one.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b) - Math.log(a);
  return Math.exp(front) / betaFraction(x, a, b);
}

/** The denominator's continued fraction of the incomplete beta function, by Lentz's algorithm. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let value = 1;
  let numerator = 1;
  let denominator = 0;
  for (let term = 1; term <= 1000; term += 1) {
    const half = Math.floor(term / 2);
    const factor =
      term % 2 === 0
        ? (half * (b - half) * x) / ((a + 2 * half - 1) * (a + 2 * half))
        : (-(a + half) * (a + b + half) * x) / ((a + 2 * half) * (a + 2 * half + 1));
    denominator = 1 / nonZero(1 + factor * denominator, tiny);
    numerator = nonZero(1 + factor / numerator, tiny);
    value *= numerator * denominator;
    if (Math.abs(numerator * denominator - 1) < 1e-15) break;
  }
  return value;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** Stirling's series, exact to rounding from 10 on; smaller arguments are moved there. */
function logGamma(given: number): number {
  let x = given;
  let below = 0;
  for (; x < 10; x += 1) below += Math.log(x);
  const square = x ** -2;
  const series = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
  const tail = series.reduceRight((sum, factor) => sum * square + factor, 0) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + tail - below;
}
