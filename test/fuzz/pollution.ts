/** What no decoder may change: the language's own objects, as they were when this was made. */
export class Pollution {
  readonly #owners: readonly object[];
  readonly #before: readonly PropertyDescriptorMap[];
  readonly #prototypes: readonly unknown[];

  constructor() {
    const owners = new Set<object>();
    const add = (value: unknown): void => {
      if ((typeof value !== 'object' && typeof value !== 'function') || value === null || owners.has(value)) return;
      owners.add(value);
      const prototype: unknown = Object.getOwnPropertyDescriptor(value, 'prototype')?.value;
      if (prototype !== undefined) add(prototype);
    };
    // Those of the language: what Node adds is made when it is asked for first.
    for (const name of Object.getOwnPropertyNames(globalThis)) {
      const value: unknown = Object.getOwnPropertyDescriptor(globalThis, name)?.value;
      if (/^(?:[A-Z]|parse|is|encode|decode)/.test(name)) add(value);
    }
    add(Object.getPrototypeOf(Uint8Array.prototype));
    add(Object.getPrototypeOf(async () => {}));
    add(Object.getPrototypeOf(function* () {}));
    this.#owners = [...owners];
    this.#before = this.#owners.map(describe);
    this.#prototypes = this.#owners.map((owner): unknown => Object.getPrototypeOf(owner));
  }

  /** Every property of all of them. @returns the first difference, or null */
  find(): string | null {
    for (const [i, owner] of this.#owners.entries()) {
      const difference = compare(this.#before[i]!, describe(owner));
      if (difference !== null) return `${nameOf(owner)} has another property ${difference}`;
      if (Object.getPrototypeOf(owner) !== this.#prototypes[i]) return `${nameOf(owner)} has another prototype`;
    }
    return null;
  }

  /** Some of it, at little cost. */
  glance(): string | null {
    for (const [owner, keys] of counts)
      if (Reflect.ownKeys(owner).length !== keys) return `${nameOf(owner)} has other keys`;
    for (const key in {}) return `every object has "${key}"`;
    return null;
  }
}

const counts: ReadonlyMap<object, number> = new Map(
  [Object, Array, Function, Map, Set, Error, Promise, RegExp, Date].map(({ prototype }) => [
    prototype,
    Reflect.ownKeys(prototype).length,
  ]),
);

const describe = (owner: object): PropertyDescriptorMap => Object.getOwnPropertyDescriptors(owner);

function compare(before: PropertyDescriptorMap, now: PropertyDescriptorMap): string | null {
  const keys = new Set([...Reflect.ownKeys(before), ...Reflect.ownKeys(now)]);
  for (const key of keys) {
    const [a, b] = [before[key as string], now[key as string]];
    if (a === undefined || b === undefined || !isSame(a, b)) return String(key);
  }
  return null;
}

function isSame(a: PropertyDescriptor, b: PropertyDescriptor): boolean {
  return (['value', 'get', 'set', 'writable', 'enumerable', 'configurable'] as const).every((part) =>
    Object.is(a[part], b[part]),
  );
}

function nameOf(owner: object): string {
  const maker: unknown = Object.getOwnPropertyDescriptor(owner, 'constructor')?.value;
  return typeof owner === 'function'
    ? owner.name
    : typeof maker === 'function'
      ? `${maker.name}.prototype`
      : 'an object';
}
