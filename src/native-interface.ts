// Which JavaScript and native files fit together.

/**
 * The calls that src/native.ts describes, by number: raised in the same change as native.ts,
 * here and in native/napi/native_interface.h. It is compared instead of the package's version,
 * which changes without the calls: a clone need not be rebuilt for that.
 */
export const nativeInterface = "infernode native interface 11";

/** What the addon tells of itself before any call. */
export interface NativeBuild {
  /** Version of the pinned llama.cpp. */
  readonly llamaCpp: string;
  /** Hash of its sources. */
  readonly treeHash: string;
  /** Version of infernode. */
  readonly version: string;
  /** To be equal to nativeInterface. */
  readonly interface: string;
}
