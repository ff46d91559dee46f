// The report's style sheet. Colours stand here alone, once for each scheme; contrast of text is at
// least 7:1 in both.

const light =
  "--paper:#fff;--ink:#1b1f24;--line:#c9ced6;--series-1:#0b62c4;--series-2:#b3430a;--series-3:#5c7f22;";
const dark =
  "--paper:#14171b;--ink:#e8eaed;--line:#3d444d;--series-1:#6cb0ff;--series-2:#ff9a5c;--series-3:#a6d057;";

/** For a <style> element. */
export const reportStyle = [
  `:root{color-scheme:light dark;${light}}`,
  `@media screen and (prefers-color-scheme:dark){:root{${dark}}}`,
  "@media print{:root{color-scheme:light}figure,tr,li{break-inside:avoid}h1,h2,caption,figcaption{break-after:avoid}}",
  "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}",
  "main{max-width:60rem;margin:0 auto;padding:1rem}",
  "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}",
  "figure{margin:1rem 0}figcaption{font-size:.9rem;font-weight:600}svg{display:block;width:100%;max-width:52rem;height:auto}",
  ".narrow-drawing{display:none}",
  "@media screen and (max-width:40rem){.wide-drawing{display:none}.narrow-drawing{display:block}}",
  "li{overflow-wrap:anywhere}",
  ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;margin:1rem 0}",
  "caption{text-align:left;font-weight:600}",
  "th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}",
  // A table that is scrolled keeps saying which load a figure is of.
  "@media screen{.wide th:first-child,.wide td:first-child{position:sticky;left:0;background:var(--paper)}}",
  ".wide td,.wide th{white-space:nowrap}.facts td{overflow-wrap:anywhere}",
  // The table has a page across, where no figure is broken in two; three charts fit on each of the others.
  "@page{margin:12mm}@page across{size:landscape}",
  "@media print{main{max-width:none;padding:0}.first{page:across;break-after:page}.wide{overflow:visible}.wide table{font-size:.6rem}}",
  "@media print{.wide td,.wide th{padding:.1rem .25rem}.wide th{white-space:normal}svg{max-width:38rem}.facts{font-size:.65rem}.facts td,.facts th{padding:.1rem .4rem}}",
].join("\n");
