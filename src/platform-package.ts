// The npm packages that hold native files, one for each platform. Their names follow Node's
// spellings of system and processor.

const platforms: ReadonlySet<string> = new Set(["linux-x64", "linux-arm64"]);

function platform(): string {
  return `${process.platform}-${process.arch}`;
}

/** Whether this platform has a package with native files. */
export function isPackaged(): boolean {
  return platforms.has(platform());
}

/** The npm package of this platform's native files. */
export function platformPackage(): string {
  return `@infernode/${platform()}`;
}
