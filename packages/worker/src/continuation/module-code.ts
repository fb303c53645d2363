import type { Body, FunctionDescription } from './frame.ts';

/** What the compiler says of one function or class of a module. Its place in the list is its name in saved continuations. */
export interface CodeInfo {
  name: string;
  line: number;
  column: number;
  /** Names of what its closure captures, in the order in which its maker takes them; absent where the module has the code once. */
  captures?: string[];
  /** Why its value can't be saved, if it can't. */
  why?: string;
  /** A class. */
  isClass?: true;
  /** Instances of the class hold private state, which can't be read from outside. */
  hasPrivateState?: true;
}

/** How the code of a module is reached: thunks, because saved continuations ask for it when everything has been evaluated. */
export interface CodeParts {
  /** What the module has once: functions and classes of its top level. */
  values: Readonly<Record<number, () => unknown>>;
  /** The resumable bodies of those. */
  bodies: Readonly<Record<number, () => Body>>;
  /** Makers of closures, from what they capture. */
  makers: Readonly<Record<number, (...captured: any[]) => object>>;
  /** The descriptions of resumable functions. */
  descriptions: () => readonly FunctionDescription[];
  /** Constants of the top level. */
  constants: Readonly<Record<string, () => unknown>>;
}

// Taken early: a servlet may change its globals.
const readJson = JSON.parse;

/** A module of the servlet, compiled so that its code can be named in saved continuations. */
export class ServletModule {
  /** Its path below the servlet's directory. */
  readonly name: string;
  readonly file: string;
  /** 72 bits of what the code is, as 12 characters of base64url: comments, layout and types do not change it. */
  readonly hash: string;
  /** Functions and classes of expressions at the top level, once they have been evaluated. */
  readonly owned: unknown[] = [];
  readonly #json: string;
  readonly #parts: () => CodeParts;
  #codes: readonly CodeInfo[] | null = null;
  #read: CodeParts | null = null;
  #descriptions: Map<number, FunctionDescription> | null = null;
  constructor(name: string, file: string, hash: string, json: string, parts: () => CodeParts) {
    this.name = name;
    this.file = file;
    this.hash = hash;
    this.#json = json;
    this.#parts = parts;
  }
  get codes(): readonly CodeInfo[] {
    return (this.#codes ??= readJson(this.#json) as CodeInfo[]);
  }
  get parts(): CodeParts {
    return (this.#read ??= this.#parts());
  }
  descriptionOf(code: number): FunctionDescription | undefined {
    this.#descriptions ??= new Map(this.parts.descriptions().map((each) => [each.code!, each]));
    return this.#descriptions.get(code);
  }
  /** The function or class that the module has once; undefined if it has none of that number, or has not come to it. */
  value(code: number): unknown {
    const { values } = this.parts;
    return this.owned[code] ?? (Object.hasOwn(values, code) ? values[code]!() : undefined);
  }
}

const modules: Map<string, ServletModule[]> = new Map();

/** Called by a module as it is evaluated. */
export function registerModule(
  name: string,
  file: string,
  hash: string,
  json: string,
  parts: () => CodeParts,
): ServletModule {
  const module = new ServletModule(name, file, hash, json, parts),
    known = modules.get(name);
  if (known) known.push(module);
  else modules.set(name, [module]);
  return module;
}

/** The modules of that name that are loaded in this thread, the newest last. */
export function modulesNamed(name: string): readonly ServletModule[] {
  return modules.get(name) ?? [];
}
export function* loadedModules(): Generator<ServletModule> {
  for (const versions of modules.values()) yield* versions;
}

/** Which code a function is, and what it captured. */
export class Tag {
  readonly module: ServletModule;
  readonly code: number;
  /** null: the module has the function once. */
  readonly captured: readonly unknown[] | null;
  readonly value: object;
  readonly body: Body | null;
  /** The bodies of the methods of a class. */
  readonly bodies: Readonly<Record<number, () => Body>> | null;
  constructor(
    module: ServletModule,
    code: number,
    captured: readonly unknown[] | null,
    value: object,
    body: Body | null = null,
    bodies: Readonly<Record<number, () => Body>> | null = null,
  ) {
    this.module = module;
    this.code = code;
    this.captured = captured;
    this.value = value;
    this.body = body;
    this.bodies = bodies;
  }
}

class Same {
  constructor(value: object) {
    // A constructor that returns another object gives the fields of its subclasses to that.
    return value;
  }
}
/** Puts a tag on a function where nobody sees it. A WeakMap would do the same at sixty times the price. */
class Stamp extends Same {
  readonly #tag: Tag;
  constructor(value: object, tag: Tag) {
    super(value);
    this.#tag = tag;
  }
  static get(value: object): Tag | undefined {
    return #tag in value ? value.#tag : undefined;
  }
}

export function tag(value: object, mark: Tag): void {
  if (Stamp.get(value) === undefined) new Stamp(value, mark);
}
export function tagOf(value: object): Tag | undefined {
  return Stamp.get(value);
}

/** What makers return: a closure that knows what it captured. `body` is there if it is resumable, `bodies` if its methods are. */
export function closure<Value extends object>(
  module: ServletModule,
  code: number,
  captured: readonly unknown[],
  value: Value,
  body: Body | null = null,
  bodies: Readonly<Record<number, () => Body>> | null = null,
): Value {
  new Stamp(value, new Tag(module, code, captured, value, body, bodies));
  return value;
}

/** A function or class of an expression at a module's top level. */
export function owned<Value extends object>(module: ServletModule, code: number, value: Value): Value {
  module.owned[code] = value;
  return value;
}

/** The resumable body of a closure, which frames keep. */
export function bodyOf(value: object, code?: number): Body {
  const mark = Stamp.get(value)!;
  if (code === undefined || code === mark.code) {
    tag(mark.body!, mark);
    return mark.body!;
  }
  const body = mark.bodies![code]!();
  tag(body, new Tag(mark.module, code, mark.captured, value, body));
  return body;
}

/** The same code with the same captured values, made once more. */
export function madeAgain(body: Body): Body {
  const mark = Stamp.get(body);
  if (mark === undefined) return body;
  const { module, captured, code } = Stamp.get(mark.value)!;
  return bodyOf(module.parts.makers[code]!(...captured!), mark.code);
}

/** Functions of an object literal's accessors, put where the literal has others: so they can be saved as all functions are. */
export function accessors(
  literal: object,
  list: readonly (readonly [key: string, kind: 'get' | 'set', value: () => unknown])[],
): object {
  for (const [key, kind, value] of list) Object.defineProperty(literal, key, { [kind]: value });
  return literal;
}
export function accessorOf(literal: object, kind: 'get' | 'set'): unknown {
  for (const key of Object.keys(literal)) return Object.getOwnPropertyDescriptor(literal, key)![kind];
  return undefined;
}

export function rename(value: object, name: string): void {
  Object.defineProperty(value, 'name', { value: name, configurable: true });
}
