/** The same regexp without the flags that make it remember where it was. */
export function statelessRegexp(regexp: RegExp): RegExp {
  return new RegExp(regexp.source, regexp.flags.replace(/[gy]/g, ''));
}
