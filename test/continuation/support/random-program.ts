import { heapStatement, heapStatements } from './random-heap.ts';

/** What a random program may do. */
export interface ProgramOptions {
  /**
   * Closures reassign the variables of functions around them, and objects are changed: what pages share is seen. Otherwise all state is
   * in locals, what closures capture is never reassigned afterwards, and objects are never changed.
   */
  sharesState?: boolean;
  /** Classes, generators, tagged templates, disposal: what the reference interpreter does not know, and the engine does. */
  isWide?: boolean;
  /** State is in closures, objects, instances and collections as well: what is saved, and read again in another process. */
  isHeap?: boolean;
}

export interface Scope {
  lets: string[];
  consts: string[];
  /** Async functions of one number. */
  functions: string[];
  /** Synchronous functions of one number. */
  pure: string[];
  /** Objects with a number n and a list q of numbers, which programs with shared state change. */
  objects: string[];
  labels: string[];
  loopLabels: string[];
  inLoop: boolean;
  canBreak: boolean;
  depth: number;
  isAsync: boolean;
  /** The variable that holds a list of closures. */
  closures: string;
  /** With `isHeap`: expressions that change something and give a number, that wait for one, and that only read. */
  changes: string[];
  waits: string[];
  reads: string[];
  classes: string[];
}

/**
 * Random async programs `async function main(ask, b)`, suspended at random points by `await ask(…)`. A program is made from a tape of
 * numbers, so that fast-check shrinks it by shortening the tape; an exhausted tape gives the simplest choice.
 */
export function randomProgram(tape: readonly number[], options: ProgramOptions = {}): string {
  return new Writer(tape, options).program();
}

/** Writes one program; what a statement declares, it adds to the scope. */
export class Writer {
  readonly #tape: readonly number[];
  readonly #sharesState: boolean;
  readonly #isWide: boolean;
  readonly #isHeap: boolean;
  #at = 0;
  #ids = 0;
  #budget = 60;

  constructor(tape: readonly number[], { sharesState = false, isWide = false, isHeap = false }: ProgramOptions) {
    this.#tape = tape;
    this.#sharesState = sharesState;
    this.#isWide = isWide;
    this.#isHeap = isHeap;
  }

  program(): string {
    const scope: Scope = {
      lets: ['a'],
      consts: ['b'],
      functions: [],
      pure: [],
      objects: this.#sharesState ? ['o'] : [],
      labels: [],
      loopLabels: [],
      inLoop: false,
      canBreak: false,
      depth: 0,
      isAsync: true,
      closures: 'fs',
      changes: [],
      waits: [],
      reads: [],
      classes: [],
    };
    const lines = Array.from({ length: 2 + this.choose(5) }, () => this.#statement(scope));
    const objects = this.#sharesState ? ' + show(o)' : '';
    return [
      'async function main(ask, b) {',
      'let a = 1, fs = [];',
      ...(this.#sharesState ? ['const o = { n: 1, q: [2] };'] : []),
      ...lines,
      `return show(a) + ':' + fs.map((f) => f(1)) + ':' + (${this.expression(scope)})${objects};`,
      '}',
    ].join('\n');
  }

  choose(n: number): number {
    return this.#at < this.#tape.length ? this.#tape[this.#at++]! % n : 0;
  }
  fresh(prefix: string): string {
    return `${prefix}${++this.#ids}`;
  }
  #of(list: readonly string[]): string {
    return list[this.choose(list.length)]!;
  }
  pick(list: readonly string[], otherwise: string): string {
    return list.length ? this.#of(list) : otherwise;
  }
  #inner(s: Scope, change: Partial<Scope> = {}): Scope {
    const { lets, consts, functions, pure, objects, changes, waits, reads, classes } = s;
    return {
      ...s,
      lets: [...lets],
      consts: [...consts],
      functions: [...functions],
      pure: [...pure],
      objects: [...objects],
      changes: [...changes],
      waits: [...waits],
      reads: [...reads],
      classes: [...classes],
      depth: s.depth + 1,
      ...change,
    };
  }

  #readable(s: Scope): string[] {
    return [...s.lets, ...s.consts, ...s.reads];
  }
  /** What a closure may capture. */
  capturable(s: Scope): readonly string[] {
    return this.#isHeap ? this.#readable(s) : s.consts;
  }

  ask(s: Scope): string {
    const seen = this.#readable(s)
      .slice(-4)
      .map((v) => `\${show(${v})}`);
    return `(await ask(\`${this.fresh('q')}:${seen.join(',')}\`))`;
  }

  /** An expression for a small number. */
  expression(s: Scope, depth = 0): string {
    const e = (): string => this.expression(s, depth + 1);
    const isLeaf = depth > 2 || this.#budget-- < 0;
    switch (this.choose(isLeaf ? 3 : this.#isWide ? 27 : this.#sharesState || this.#isHeap ? 22 : 20)) {
      case 0:
        return String(this.choose(7));
      case 1:
        return this.pick(this.#readable(s), '1');
      case 2:
        return s.isAsync ? this.ask(s) : this.pick(s.consts, '2');
      case 3:
        return `(${e()} ${this.#of(['+', '-', '*'])} ${e()})`;
      case 4:
        return `(${this.#test(s, depth + 1)} ? ${e()} : ${e()})`;
      case 5:
        return `(${e()} ${this.#of(['&&', '||', '??'])} ${e()})`;
      case 6:
        return `[${e()}, ...[${e()}], ${e()}].reduce((a, b) => a * 2 + b)`;
      case 7:
        return `({ a: ${e()}, [${this.#of(["'b'", `\`b\${${e()} > 9 ? 1 : ''}\``])}]: ${e()}, ...{ c: ${e()} } }).${this.#of(['a', 'b', 'c'])}`;
      case 8:
        return `\`\${${e()}}\${${e()}}\`.length`;
      case 9:
        return s.isAsync && s.functions.length ? `(await ${this.#of(s.functions)}(${e()}))` : e();
      case 10:
        return s.pure.length ? `${this.#of(s.pure)}(${e()})` : e();
      case 11:
        return s.lets.length ? `(${this.#of(s.lets)} ${this.#of(['=', '+=', '-=', '||=', '&&=', '??='])} ${e()})` : e();
      case 12:
        return s.lets.length
          ? `(${this.#of([`${this.#of(s.lets)}${this.#of(['++', '--'])}`, `--${this.#of(s.lets)}`])})`
          : e();
      case 13:
        return `Math.max(${e()}, ...[${e()}])`;
      case 14:
        return `({ m(x, y) { return x - y + this.k; }, k: ${e()} }).m(${e()}, ${e()})`;
      case 15:
        return `(${this.#of(['null', '({ p: { q: 3 } })', '({ p: null })'])})?.p?.[${e()} > 2 ? 'q' : 'q']`;
      case 16:
        return `${s.closures}.reduce((n, f) => n * 2 + f(1), 0)`;
      case 17:
        return `(${e()}, ${e()})`;
      case 18:
        return `(${this.#of(['-', '+', '~'])}${e()})`;
      case 19:
        return `(${this.#of(['null', 'undefined', s.pure.length ? this.#of(s.pure) : 'null'])}?.(${e()}) ?? ${e()})`;
      default:
        if (this.#isHeap) return s.isAsync && this.choose(2) ? this.pick(s.waits, '4') : this.pick(s.changes, '3');
        return this.#isWide ? this.#wideExpression(s, e) : this.#objectExpression(s, e);
    }
  }

  /** Reads and changes objects that pages share. */
  #objectExpression(s: Scope, e: () => string): string {
    const o = this.pick(s.objects, 'o');
    switch (this.choose(4)) {
      case 0:
        return `${o}.n`;
      case 1:
        return `(${o}.n ${this.#of(['=', '+=', '-=', '??='])} ${e()})`;
      case 2:
        return `${o}.q.push(${e()})`;
      default:
        return `(${o}['n']++ + ${o}.q.length)`;
    }
  }

  #wideExpression(s: Scope, e: () => string): string {
    const p = this.fresh('P');
    switch (this.choose(9)) {
      case 0:
        return `new (class { #x; static y = ${this.pick(s.consts, '3')}; constructor(x) { this.#x = x; } get x() { return this.#x; } })(${e()}).x`;
      case 1:
        return s.isAsync
          ? `(await new (class extends (class { async m(x) { return x + ${this.ask(this.#sealed(s))}; } }) { async m(x) { return await super.m(x * 2) - 1; } })().m(${e()}))`
          : e();
      case 2:
        return `((t, ...v) => t.length * 10 + v[0] - v[1])\`a\${${e()}}b\${${e()}}c\``;
      case 3:
        return `[...(function* (n) { for (let i = 0; i < 2; i++) yield n + i; })(${e()})].reduce((a, b) => a * 3 + b)`;
      case 4:
        return `(typeof ${e()}).length + (void ${e()} === undefined ? 1 : 2)`;
      case 5:
        return `(delete ({ x: ${e()} }).x ? ${e()} : 0)`;
      case 6:
        return `((${e()} in [1, 2, 3]) + ([] instanceof (${e()} > 2 ? Array : Map)))`;
      case 7:
        return `({ get ${p}() { return ${this.pick(s.consts, '2')}; } }).${p}`;
      default:
        return `(() => { const [x, ...y] = [${this.pick(s.consts, '1')}, 2]; return x + y.length; })()`;
    }
  }

  #test(s: Scope, depth = 1): string {
    return `${this.expression(s, depth)} ${this.#of(['<', '>', '!==', '<='])} ${this.expression(s, depth)}`;
  }

  /** A scope for the body of another function: it may read what never changes. */
  #sealed(s: Scope, change: Partial<Scope> = {}): Scope {
    const lets = this.#sharesState || this.#isHeap ? s.lets : [];
    return this.#inner(s, {
      lets: [...lets],
      labels: [],
      loopLabels: [],
      inLoop: false,
      canBreak: false,
      // The list of the function around it is reassigned.
      closures: '[]',
      ...change,
    });
  }

  /** A pattern with awaits in its defaults and keys, and what it takes apart; binds two constants. */
  #pattern(s: Scope): { pattern: string; value: string; names: string[] } {
    const a = this.fresh('d');
    const b = this.fresh('d');
    const e = (): string => this.expression(s, 2);
    const [pattern, value] = [
      [`{ ${a}, z: [${b} = ${e()}] }`, `{ ${a}: ${e()}, z: [${this.#of(['', '5'])}] }`],
      [`[${a} = ${e()}, , ...[${b} = ${e()}]]`, `[${this.#of(['undefined', '2'])}, 0, ${e()}]`],
      [`{ [${e()} > 1 ? 'u' : 'v']: ${a} = ${e()}, w: ${b}, ...rest }`, `{ u: ${e()}, w: 2 }`],
      [
        `{ x: { ${a} = ${e()}, ...more } = {}, y: ${b} = ${a} }`,
        `{ x: ${this.#of(['undefined', `{ ${a}: 1, k: 2 }`])} }`,
      ],
    ][this.choose(4)]!;
    return {
      pattern: pattern!.replace('rest', this.fresh('r')).replace('more', this.fresh('r')),
      value: value!,
      names: [a, b],
    };
  }

  block(s: Scope, change: Partial<Scope> = {}): string {
    const own = this.#inner(s, change);
    const lines: string[] = [];
    if (this.choose(4) === 1) {
      // Declared first, so that it captures only what is initialised already.
      const f = this.fresh('h');
      lines.push(`function ${f}(x) { return x + ${this.pick(this.capturable(own), '3')}; }`);
      own.pure.push(f);
    }
    for (let n = this.choose(4); n >= 0; n--) lines.push(this.#statement(own));
    return `{\n${lines.join('\n')}\n}`;
  }

  #statement(s: Scope): string {
    const e = (): string => this.expression(s);
    const target = s.lets[0];
    if (s.depth > 4 || this.#budget-- < 0)
      return target === undefined
        ? `${this.expression(s, 2)};`
        : `${target} = ${target} * 3 + ${this.expression(s, 2)} | 0;`;
    const v = this.fresh('v');
    const loop = { inLoop: true, canBreak: true };
    switch (this.choose(this.#isWide || this.#isHeap ? 36 : this.#sharesState ? 33 : 29)) {
      case 0:
        return target === undefined ? `${e()};` : `${target} = (${target} * 3 + ${e()}) | 0;`;
      case 1: {
        const text = `${this.#of(['let', 'let', 'var'])} ${v} = ${e()};`;
        s.lets.push(v);
        return text;
      }
      case 2: {
        const text = `const ${v} = ${e()};`;
        s.consts.push(v);
        return text;
      }
      case 3:
        return `${this.ask(s)};`;
      case 4:
        return `if (${this.#test(s)}) ${this.block(s)} else ${this.block(s)}`;
      case 5:
        return `for (let ${v} = ${this.#of(['0', `${this.expression(s, 2)} & 1`])}; ${v} < ${1 + this.choose(3)}; ${this.#of([`${v}++`, `${v}++, ${this.expression(s, 2)}`])}) ${this.block(s, loop)}`;
      case 6:
        return `for (const ${v} of [${this.expression(s, 2)}, ${this.expression(s, 2)}]) ${this.block(s, { ...loop, consts: [...s.consts, v] })}`;
      case 7:
        return `let ${v} = 0; while (${v}++ < ${1 + this.choose(2)} && ${this.#test(s)}) ${this.block(s, loop)}`;
      case 8:
        return `let ${v} = 0; do ${this.block(s, loop)} while (${v}++ < ${this.choose(2)} && ${this.#test(s)});`;
      case 9:
        return `for (const ${v} in { p: 1, q: 2 }) ${this.block(s, { ...loop, consts: [...s.consts, v] })}`;
      case 10:
        return `switch ((${e()}) & 3) { case 0: ${this.block(s, { canBreak: true })} case ${this.expression(s, 2)}: let ${v} = ${this.expression(s, 2)}; ${this.block(s, { canBreak: true, lets: [...s.lets, v] })} break; default: ${this.block(s, { canBreak: true })} case 2: ${this.block(s, { canBreak: true })} }`;
      case 11:
        return `try ${this.block(s)} catch (${v}) ${this.block(s, { consts: [...s.consts, v] })}`;
      case 12:
        return `try ${this.block(s)} finally ${this.block(s)}`;
      case 13:
        return `try ${this.block(s)} catch (${v}) ${this.block(s, { consts: [...s.consts, v] })} finally ${this.block(s)}`;
      case 14:
        return `if (${this.#test(s)}) throw ${e()};`;
      case 15:
        return this.#leave(s, e);
      case 16: {
        const label = this.fresh('L');
        return `${label}: ${this.block(s, { labels: [...s.labels, label] })}`;
      }
      case 17: {
        const label = this.fresh('L');
        const head = this.#of([
          'for (const z of "ab")',
          'for (let z = 0; z < 2; z++)',
          'for (const z in { s: 1, t: 2 })',
        ]);
        return `${label}: ${head} ${this.block(s, { ...loop, labels: [...s.labels, label], loopLabels: [...s.loopLabels, label] })}`;
      }
      case 18: {
        const f = this.fresh('f');
        const x = this.fresh('x');
        const own = this.#sealed(s, { consts: [...s.consts, x], closures: `k${f}`, isAsync: true });
        own.lets.push(`m${f}`);
        const body = Array.from({ length: 1 + this.choose(2) }, () => this.#statement(own)).join('\n');
        const inside = `let m${f} = 1, k${f} = []; ${body}\nreturn ${this.expression(own)};`;
        s.functions.push(f);
        return `const ${f} = async (${x}${this.#of(['', ' = 4'])}) => { ${inside} };`;
      }
      case 19: {
        const text = `const ${v} = (y) => y * 2 + ${this.pick(this.capturable(s), '1')};`;
        s.pure.push(v);
        return text;
      }
      case 20: {
        // Reassigned, but for good before the closure is made.
        const p = this.fresh('p');
        const text = `let ${v} = ${e()}; if (${this.#test(s)}) ${v} = ${e()}; const ${p} = (y) => y + ${v};`;
        s.consts.push(v);
        s.pure.push(p);
        return text;
      }
      case 21:
        if (this.choose(3) === 0) return `if (${this.#test(s)}) return ${e()};`;
        return this.#declaration(s);
      case 22: {
        const { pattern, value, names } = this.#pattern(s);
        return `for (const ${pattern} of [${value}, ${value}]) ${this.block(s, { ...loop, consts: [...s.consts, ...names] })}`;
      }
      case 23: {
        const { pattern, value, names } = this.#pattern(s);
        return `try { throw ${value}; } catch (${pattern}) ${this.block(s, { consts: [...s.consts, ...names] })}`;
      }
      case 24: {
        const f = this.fresh('f');
        const { pattern, value, names } = this.#pattern(this.#sealed(s, { isAsync: false }));
        const own = this.#sealed(s, { consts: [...s.consts, ...names], isAsync: true });
        s.functions.push(f);
        return `const ${f} = async (n, ${pattern} = ${value}) => { ${this.ask(own)}; return n + ${this.expression(own, 1)}; };`;
      }
      case 25: {
        const w = this.fresh('v');
        const text = `let ${v}, ${w}; [${v} = ${this.expression(s, 2)}, ${w}] = [${this.#of(['undefined', '3'])}, ${e()}]; ({ k: ${v}, w: ${w} = ${this.expression(s, 2)} } = { k: ${this.expression(s, 2)} });`;
        s.lets.push(v, w);
        return text;
      }
      // Closures that outlive the iteration, called later.
      case 26:
      case 27:
      case 28:
        return `${s.closures} = [...${s.closures}, (y) => y * 3 + ${this.pick(this.capturable(s), '1')} - ${this.pick(this.capturable(s), '1')}];`;
      default:
        if (this.#isHeap) return heapStatement(this, s, this.choose(heapStatements));
        return this.#isWide ? this.#wideStatement(s, v, e) : this.#sharingStatement(s, v, e);
    }
  }

  #leave(s: Scope, e: () => string): string {
    const ways = [
      ...(s.canBreak ? ['break'] : []),
      ...(s.inLoop ? ['continue'] : []),
      ...s.labels.map((label) => `break ${label}`),
      ...s.loopLabels.map((label) => `continue ${label}`),
    ];
    return ways.length ? `if (${this.#test(s)}) ${this.#of(ways)};` : `${e()};`;
  }

  #declaration(s: Scope): string {
    const { pattern, value, names } = this.#pattern(s);
    s.consts.push(...names);
    return `const ${pattern} = ${value};`;
  }

  /** What makes a local one for all pages, and what pages share in any case. */
  #sharingStatement(s: Scope, v: string, e: () => string): string {
    const captured = this.pick(s.lets, 'a');
    switch (this.choose(8)) {
      case 0: {
        const text = `const ${v} = (y) => (${captured} = (${captured} + y) | 0);`;
        s.pure.push(v);
        return text;
      }
      case 1: {
        const f = this.fresh('f');
        s.functions.push(f);
        return `const ${f} = async (y) => { ${captured} = (${captured} * 2 + ${this.ask(this.#inner(s))}) | 0; return ${captured} + y; };`;
      }
      case 2: {
        const f = this.fresh('f');
        const text = `let ${v} = ${e()}; const ${f} = (y) => ${v}++ + y;`;
        s.lets.push(v);
        s.pure.push(f);
        return text;
      }
      case 3:
        return `for (let ${v} = 0; ${v} < 3; ${v}++) { ${s.closures}.push((y) => y + ${v}++); ${this.#statement(this.#inner(s, { inLoop: true, canBreak: true }))} }`;
      case 4: {
        const text = `const ${v} = { n: ${e()}, q: [${e()}] };`;
        s.objects.push(v);
        return text;
      }
      case 5:
        return `for (const ${v} of items(${this.#of(['2', '3'])})) ${this.block(s, { inLoop: true, canBreak: true, consts: [...s.consts, v] })}`;
      case 6: {
        const { pattern, value, names } = this.#pattern(s);
        const f = this.fresh('f');
        const text = `let ${pattern} = ${value}; const ${f} = (y) => (${names[0]} = y + ${names[1]});`;
        s.consts.push(...names);
        s.pure.push(f);
        return text;
      }
      default:
        return `for (let ${v} of [1, ${this.expression(s, 2)}]) { ${s.closures} = [...${s.closures}, (y) => (${v} += y)]; ${this.#statement(this.#inner(s, { inLoop: true, canBreak: true, lets: [...s.lets, v] }))} }`;
    }
  }

  #wideStatement(s: Scope, v: string, e: () => string): string {
    const loop = { inLoop: true, canBreak: true, consts: [...s.consts, v] };
    switch (this.choose(7)) {
      case 0:
        return `for (const [${v}, w] of new Map([['k', ${e()}], ['l', ${e()}]])) ${this.block(s, loop)}`;
      case 1:
        return `for (const ${v} of new Set([${e()}, 7])) ${this.block(s, loop)}`;
      case 2:
        return `for (let [${v}, w] = [${e()}, 1]; w < 3; w++) ${this.block(s, loop)}`;
      case 3: {
        const text = `class ${v} { static s = ${this.pick(s.consts, '1')}; ['k' + ${e()}] = 1; async m(x) { return x + this.n + ${this.ask(this.#sealed(s))}; } n = 2; static { this.s += 1; } } ${this.ask(s)};`;
        s.functions.push(`new ${v}().m`);
        // A method needs its receiver: called as \`await new C().m(…)\`.
        return text;
      }
      case 4:
        return `{ using ${v} = { [Symbol.dispose]() {} }; await using w = { async [Symbol.asyncDispose]() { ${this.choose(2) ? '' : 'throw 4;'} } }; ${this.block(s)} }`;
      case 5: {
        const f = this.fresh('f');
        // No declaration: that would use the constants above it before they are there.
        const text = `const ${f} = async function named(x) { try { return x + ${this.ask(this.#sealed(s))}; } finally { if (x > 3) ${this.#of(['return 1;', 'await 0;', "throw new RangeError('r');"])} } };`;
        s.functions.push(f);
        return text;
      }
      default:
        return `try { null.x; } catch (${v}) { ${this.ask(s)}; if (${this.#test(s)}) throw ${v}; }`;
    }
  }
}
