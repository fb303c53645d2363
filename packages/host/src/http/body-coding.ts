/** Of a 415 for what has a content coding: what would have been taken (RFC 9110 §15.5.16). Nothing is decompressed here. */
export const UNCODED = { 'Accept-Encoding': 'identity' } as const;
