// Common English words, of which synthetic prompts are made: most are one token of most
// vocabularies, and no tokenizer merges two of them.
export const words: readonly string[] = (
  "time year people way day man thing woman life child world school state family student group country " +
  "problem hand part place case week company system program question work government number night point " +
  "home water room mother area money story fact month lot right study book eye job word business issue " +
  "side kind head house service friend father power hour game line end member law car city name team " +
  "minute idea body information back parent face level office door health person art war history party " +
  "result change morning reason research girl guy moment air teacher force education foot boy age policy " +
  "music market sense road river field garden winter summer letter paper table window street island ship " +
  "stone forest mountain bird horse light voice colour sound"
).split(" ");
