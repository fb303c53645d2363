/** Stack lines of this library itself. */
export const ownFiles: RegExp = new RegExp(
  `${decodeURIComponent(new URL('..', import.meta.url).pathname)}[\\w/-]+\\.\\w+:`,
);
