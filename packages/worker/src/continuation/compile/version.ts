/** Part of every cache key: frames and code of one version of the compiler do not go with those of another. */
export const compilerVersion = '1';
