/** Options without those that are `undefined`: an absent one and an undefined one mean the same, and laid over others neither hides one. */
export function stated<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}
