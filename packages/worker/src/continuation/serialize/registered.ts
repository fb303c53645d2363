/** How instances of a class are written and made again. */
export interface Registration {
  readonly name: string;
  readonly prototype: object;
  to(value: object): unknown;
  from(data: unknown): object;
}

const byPrototype: Map<object, Registration> = new Map();
const byName: Map<string, Registration> = new Map();

/** Two classes of one name, or a class twice. */
export class RegistrationError extends TypeError {
  override readonly name = 'RegistrationError';
  readonly code = 'SERVLET_REGISTRATION';
}

/**
 * Says how instances of a class with private state, or of a class of a library, are saved with a page: `to` gives data that can be saved
 * itself, `from` makes an instance of it. Call it at the top level of a module, once for each class.
 * @param Class what the instances are made by; those of its subclasses are not meant
 * @param options `name`: by which saved pages know the class. Default: its own name
 * @throws RegistrationError
 * @see Racket `prop:serializable`
 *
 * @example
 * ```ts
 * class Money {
 *   readonly cents: number;
 *   constructor(cents: number) {
 *     this.cents = cents;
 *   }
 * }
 * registerSerializable(Money, (money) => money.cents, (cents) => new Money(cents as number));
 * ```
 */
export function registerSerializable<Instance extends object>(
  Class: (abstract new (...args: any[]) => Instance) & { prototype: Instance },
  to: (value: Instance) => unknown,
  from: (data: unknown) => Instance,
  { name = Class.name }: { name?: string } = {},
): void {
  if (name === '' || byName.has(name))
    throw new RegistrationError(
      name === ''
        ? 'Cannot register a class: it has no name'
        : `Cannot register a class: there is one of the name "${name}" already; give { name }`,
    );
  if (byPrototype.has(Class.prototype))
    throw new RegistrationError(`Cannot register class "${name}": it is registered already`);
  const registration: Registration = {
    name,
    prototype: Class.prototype,
    to: to as Registration['to'],
    from,
  };
  byPrototype.set(Class.prototype, registration);
  byName.set(name, registration);
}

export function registrationFor(prototype: object): Registration | undefined {
  return byPrototype.get(prototype);
}
export function registrationNamed(name: string): Registration | undefined {
  return byName.get(name);
}
