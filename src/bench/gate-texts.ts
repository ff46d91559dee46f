// Prose that a benchmark asks every model to judge. Written for this, so that no model has learnt it by heart; each text
// is another subject, so that one broken tensor shows in some of them. Results of different builds compare
// only while these texts stay as they are.
export const gateTexts: readonly string[] = [
  "The ferry was late again, and the people on the pier had begun to share their food. An old man cut a melon into slices with a pocket knife. Nobody knew how long the fog would stay over the harbour, but the children had already found a game with two ropes and a bucket.",
  "A queue has two ends. Items are added at the back and removed from the front, so the one that has waited longest is served first. When items arrive faster than they are served, the queue grows without bound; when they arrive more slowly, most of them wait only for a short time.",
  "Boil the potatoes in salted water until a fork goes through them easily. Meanwhile fry two chopped onions in butter over a low flame. Mash the potatoes with warm milk, stir the onions in, and season the bowl with pepper, nutmeg and a little more salt than you think it needs.",
  "In the spring of that year the council voted to repair the bridge instead of building a new one. The engineers measured every beam and found that nine of the twelve were sound. The work took four months and cost 38,000 crowns, which was less than half of what had been set aside.",
  "Copper conducts electricity better than aluminium, but aluminium weighs less than a third as much. That is why long overhead lines are made of aluminium around a core of steel, while the wires inside the walls of a house are usually copper, where weight does not matter and space does.",
  "She opened the letter at the kitchen table and read it twice. Then she folded it along the old lines, put it back into its envelope and laid it in the drawer with the others. Outside, the neighbour's dog was barking at the postman, as it did every morning at about ten o'clock.",
  "To find a word in a sorted list, look at the middle entry. If the word comes before it, throw away the second half; if it comes after it, throw away the first. Repeat this until one entry is left. A list of a million words takes twenty steps, and one of two million takes one more.",
  "The northern slope keeps its snow until June, and the path there is marked with iron posts. Hikers should leave before sunrise, carry enough water for eight hours, and turn back if clouds gather above the western ridge. There is a small hut below the pass, but it is locked in winter.",
];
