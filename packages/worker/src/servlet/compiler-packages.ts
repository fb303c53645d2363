/**
 * Where the packages of the continuation compiler are. For the supervisor: a guest's thread may not look through the
 * directories in which packages are searched.
 */
export const COMPILER_PACKAGES: Readonly<Record<string, string>> = Object.fromEntries(
  ['acorn', 'astring', '@jridgewell/sourcemap-codec'].map((name) => [name, import.meta.resolve(name)]),
);
