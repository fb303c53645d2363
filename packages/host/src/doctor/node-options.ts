/** What a flag in NODE_OPTIONS would do to a cell that got it. Cells get none: their environment is made from nothing. */
const DEFEATING: readonly { pattern: RegExp; why: string }[] = [
  {
    pattern:
      /^--max[-_](old|semi)[-_]space[-_]size|^--max[-_]heap[-_]size|^--max[-_]old[-_]space[-_]size[-_]percentage/,
    why: 'it replaces the heap cap of every thread',
  },
  { pattern: /^--(min|initial)[-_].*(size)/, why: 'it takes memory before the cap is looked at' },
  {
    pattern: /^(-r$|--require|--import|--loader|--experimental[-_]loader)/,
    why: 'it runs code inside the walls before they stand',
  },
  { pattern: /^--allow[-_]/, why: 'it opens the permission model' },
  { pattern: /^--(inspect|debug)/, why: 'it opens a debugger, which runs any code in the process' },
  { pattern: /^--expose[-_](internals|gc)/, why: "it hands out Node's insides" },
  {
    pattern: /^--(no[-_])?(node[-_]snapshot|frozen[-_]intrinsics|addons|permission)/,
    why: 'it changes the walls themselves',
  },
  { pattern: /^--stack[-_]size|^--jitless|^--no[-_]opt|^--v8[-_]options/, why: 'it changes how V8 runs a servlet' },
  {
    pattern: /^--(heapsnapshot|heap[-_]prof|cpu[-_]prof|diagnostic[-_]dir|report|redirect[-_]warnings|trace[-_]event)/,
    why: 'it writes files from within the cell',
  },
  {
    pattern: /^--(env[-_]file|use[-_]env[-_]proxy|experimental[-_]config[-_]file)/,
    why: 'it brings back an environment that was taken away',
  },
];

export interface StrippedOption {
  flag: string;
  why: string;
}

/** The flags of NODE_OPTIONS that would defeat a cap or a wall if cells were given them. */
export function strippedNodeOptions(env: NodeJS.ProcessEnv): StrippedOption[] {
  return words(env['NODE_OPTIONS'] ?? '').flatMap((flag) => {
    const row = DEFEATING.find(({ pattern }) => pattern.test(flag));
    return row === undefined ? [] : [{ flag, why: row.why }];
  });
}

// As Node splits it: by spaces, double quotes keep some, a backslash inside them keeps the next character.
function words(text: string): string[] {
  const matches = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  return matches.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/g, (_whole, inner: string) => inner.replace(/\\(.)/g, '$1')),
  );
}
