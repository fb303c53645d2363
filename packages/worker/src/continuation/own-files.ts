const { pathname } = new URL('..', import.meta.url);
const inPattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** Stack lines of this library itself: of URLs, or of paths where maps are read. */
export const ownFiles: RegExp = new RegExp(
  `(?:${inPattern(pathname)}|${inPattern(decodeURIComponent(pathname))})[\\w/-]+\\.\\w+:`,
);
