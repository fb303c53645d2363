/** How instances of a class are written and made again. */
export interface Registration {
  readonly name: string;
  readonly prototype: object;
  to(value: object): unknown;
  from(data: unknown): object;
  /** If it has one, `from` is given nothing, and the data is put into what it has made: so it may lead back to that. */
  readonly fill?: (made: object, data: unknown) => void;
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
  add({ name, prototype: Class.prototype, to: to as Registration['to'], from });
}

/** The same for a class of this library whose instances are made empty. */
export function registerFillable<Instance extends object>(
  Class: abstract new (...args: any[]) => Instance,
  name: string,
  how: { to: (value: Instance) => unknown; make: () => Instance; fill: (made: Instance, data: unknown) => void },
): void {
  add({
    name,
    prototype: Class.prototype as object,
    to: how.to as Registration['to'],
    from: how.make,
    fill: how.fill as Registration['fill'] & {},
  });
}

function add(registration: Registration): void {
  byPrototype.set(registration.prototype, registration);
  byName.set(registration.name, registration);
}

export function registrationFor(prototype: object): Registration | undefined {
  return byPrototype.get(prototype);
}
export function registrationNamed(name: string): Registration | undefined {
  return byName.get(name);
}
