/** A native library that cannot be used; the message names it and the rule that it breaks. */
export class NativeLibraryError extends Error {
  readonly code = "NATIVE_LIBRARY_UNUSABLE";

  constructor(name: string, path: string, why: string, options?: { readonly cause: unknown }) {
    super(`The native library \`${name}\` (${path}) cannot be used: ${why}`, options);
    this.name = "NativeLibraryError";
  }
}
