// How far two greedy texts agree. Kernels round differently, so that texts of the same weights part
// where the model is nearly undecided; texts that part at once were not computed from the same weights.

const kAgreeing = 12; // characters that must agree

export function commonText(left, right) {
  const [one, other] = [left.trimStart(), right.trimStart()];
  const length = Math.min(one.length, other.length);
  let same = 0;
  while (same < length && one[same] === other[same]) same += 1;
  return { same, of: length };
}

export const partsAtOnce = ({ same, of, mustAgree }) => mustAgree && same < Math.min(of, kAgreeing);

export function agreementText({ same, of }) {
  return same === of ? `all ${of} characters the same` : `the first ${same} of ${of} characters the same`;
}
