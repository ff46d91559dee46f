// Two greedy answers of different devices, which round differently: how far their log
// probabilities are apart, up to the place where the rounding decided for another token.

/**
 * @param one, other results of generate() with `logProbs`
 * @returns tokens that both have, the largest difference among them, and where they part how much
 *   less likely each thought the other's token (Infinity: it was not among its best)
 */
export function compare(one, other) {
  let worst = 0;
  for (const [index, mine] of one.logProbs.entries()) {
    const theirs = other.logProbs[index];
    if (theirs === undefined) return { common: index, worst, parted: Number.POSITIVE_INFINITY };
    if (mine.token !== theirs.token) {
      const parted = Math.max(gap(mine, theirs.token), gap(theirs, mine.token));
      return { common: index, worst, parted };
    }
    worst = Math.max(worst, Math.abs(mine.logProb - theirs.logProb));
  }
  return { common: one.logProbs.length, worst, parted: 0 };
}

function gap(chosen, token) {
  const found = chosen.top.find((candidate) => candidate.token === token);
  return found === undefined ? Number.POSITIVE_INFINITY : chosen.logProb - found.logProb;
}
