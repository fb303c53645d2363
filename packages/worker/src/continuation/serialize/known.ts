/** Objects of this library that saved continuations name, as every process has them. */
const byName: Map<string, object> = new Map();
const names: Map<object, string> = new Map();

export function registerKnown(name: string, value: object): void {
  byName.set(name, value);
  names.set(value, name);
}
export function knownName(value: object): string | undefined {
  return names.get(value);
}
export function knownNamed(name: string): object | undefined {
  return byName.get(name);
}
