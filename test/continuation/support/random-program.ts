/**
 * Random async programs whose state is in locals: what closures capture is never reassigned afterwards, and objects are never changed;
 * unless `isHeap`: then state is in closures, objects, instances and collections as well, and shared among them.
 * A program is made from a tape of numbers, so that fast-check shrinks it by shortening the tape; an exhausted tape gives the simplest choice.
 */
export function randomProgram(tape: readonly number[], { isHeap = false }: { isHeap?: boolean } = {}): string {
  let at = 0,
    ids = 0,
    budget = 60;
  const choose = (n: number): number => (at < tape.length ? tape[at++]! % n : 0);
  const fresh = (prefix: string): string => `${prefix}${++ids}`;

  interface Scope {
    lets: string[];
    consts: string[];
    functions: string[];
    pure: string[];
    labels: string[];
    inLoop: boolean;
    canBreak: boolean;
    depth: number;
    isAsync: boolean;
    closures: string;
    /** With `isHeap`: expressions that change something and give a number, that wait for one, and that only read. */
    changes: string[];
    waits: string[];
    reads: string[];
    classes: string[];
  }
  const inner = (s: Scope, change: Partial<Scope> = {}): Scope => ({
    ...s,
    lets: [...s.lets],
    consts: [...s.consts],
    functions: [...s.functions],
    pure: [...s.pure],
    changes: [...s.changes],
    waits: [...s.waits],
    reads: [...s.reads],
    classes: [...s.classes],
    depth: s.depth + 1,
    ...change,
  });
  const pick = (list: readonly string[], otherwise: string): string =>
    list.length ? list[choose(list.length)]! : otherwise;
  const readable = (s: Scope): string[] => [...s.lets, ...s.consts, ...s.reads];
  /** What a closure may capture. */
  const capturable = (s: Scope): readonly string[] => (isHeap ? readable(s) : s.consts);

  function ask(s: Scope): string {
    const seen = readable(s)
      .slice(-4)
      .map((v) => `\${show(${v})}`)
      .join(',');
    return `(await ask(\`${fresh('q')}:${seen}\`))`;
  }
  /** An expression for a small number. */
  function expression(s: Scope, depth = 0): string {
    const leaf = depth > 2 || budget-- < 0;
    switch (choose(leaf ? 3 : isHeap ? 20 : 18)) {
      case 0:
        return String(choose(7));
      case 1:
        return pick(readable(s), '1');
      case 2:
        return s.isAsync ? ask(s) : pick(s.consts, '2');
      case 3:
        return `(${expression(s, depth + 1)} ${['+', '-', '*'][choose(3)]} ${expression(s, depth + 1)})`;
      case 4:
        return `(${test(s, depth + 1)} ? ${expression(s, depth + 1)} : ${expression(s, depth + 1)})`;
      case 5:
        return `(${expression(s, depth + 1)} ${['&&', '||', '??'][choose(3)]} ${expression(s, depth + 1)})`;
      case 6:
        return `[${expression(s, depth + 1)}, ...[${expression(s, depth + 1)}], ${expression(s, depth + 1)}].reduce((a, b) => a * 2 + b)`;
      case 7:
        return `({ a: ${expression(s, depth + 1)}, b: ${expression(s, depth + 1)} }).${['a', 'b'][choose(2)]}`;
      case 8:
        return `\`\${${expression(s, depth + 1)}}\${${expression(s, depth + 1)}}\`.length`;
      case 9:
        return s.isAsync && s.functions.length
          ? `(await ${pick(s.functions, '')}(${expression(s, depth + 1)}))`
          : expression(s, depth + 1);
      case 10:
        return s.pure.length ? `${pick(s.pure, '')}(${expression(s, depth + 1)})` : expression(s, depth + 1);
      case 11:
        return s.lets.length
          ? `(${pick(s.lets, '')} ${['=', '+=', '-=', '||=', '&&=', '??='][choose(6)]} ${expression(s, depth + 1)})`
          : expression(s, depth + 1);
      case 12:
        return s.lets.length ? `${pick(s.lets, '')}${['++', '--'][choose(2)]}` : expression(s, depth + 1);
      case 13:
        return `Math.max(${expression(s, depth + 1)}, ${expression(s, depth + 1)})`;
      case 14:
        return `({ m(x, y) { return x - y + this.k; }, k: ${expression(s, depth + 1)} }).m(${expression(s, depth + 1)}, ${expression(s, depth + 1)})`;
      case 15:
        return `(${['null', '{ p: { q: 3 } }', '{ p: null }'][choose(3)]?.replace(/^\{(.*)\}$/, '({$1})')})?.p?.[${expression(s, depth + 1)} > 2 ? 'q' : 'q']`;
      case 16:
        return `${s.closures}.reduce((n, f) => n * 2 + f(1), 0)`;
      case 18:
        return pick(s.changes, '3');
      case 19:
        return s.isAsync ? pick(s.waits, '4') : pick(s.changes, '5');
      default:
        return `(${expression(s, depth + 1)}, ${expression(s, depth + 1)})`;
    }
  }
  const test = (s: Scope, depth = 1): string =>
    `${expression(s, depth)} ${['<', '>', '!==', '<='][choose(4)]} ${expression(s, depth)}`;

  function pattern(s: Scope): string {
    const a = fresh('d'),
      b = fresh('d'),
      value = (): string => expression(s, 2);
    const text = [
      `const { ${a}, z: [${b} = ${value()}] } = { ${a}: ${value()}, z: [${['', '5'][choose(2)]}] };`,
      `const [${a} = ${value()}, ...${b}] = [${value()}, ${value()}];`,
      `const { [${value()} > 1 ? 'u' : 'v']: ${a} = ${value()}, ...${b} } = { u: ${value()}, w: 2 };`,
    ][choose(3)]!;
    s.consts.push(a);
    return text;
  }

  function block(s: Scope, change: Partial<Scope> = {}): string {
    const own = inner(s, change),
      lines: string[] = [];
    if (choose(4) === 1) {
      // Declared first, so that it captures only what is initialised already.
      const f = fresh('h'),
        captured = pick(capturable(own), '3');
      lines.push(`function ${f}(x) { return x + ${captured}; }`);
      own.pure.push(f);
    }
    for (let n = choose(4); n >= 0; n--) lines.push(statement(own));
    return `{\n${lines.join('\n')}\n}`;
  }

  function statement(s: Scope): string {
    if (s.depth > 4 || budget-- < 0)
      return `log = log * 3 + ${expression(s, 2)} | 0;`
        .replace(/^log/, s.lets[0] ?? 'void 0; let log')
        .replace(/= log/, `= ${s.lets[0] ?? '1'}`);
    const kind = choose(isHeap ? 36 : 23);
    if (kind > 22) return heapStatement(s, kind);
    switch (kind) {
      case 0:
        return `${s.lets[0]} = (${s.lets[0]} * 3 + ${expression(s)}) | 0;`;
      case 1: {
        const v = fresh('l'),
          text = `let ${v} = ${expression(s)};`;
        s.lets.push(v);
        return text;
      }
      case 2: {
        const v = fresh('c'),
          text = `const ${v} = ${expression(s)};`;
        s.consts.push(v);
        return text;
      }
      case 3:
        return `${ask(s)};`;
      case 4:
        return `if (${test(s)}) ${block(s)} else ${block(s)}`;
      case 5: {
        const i = fresh('i');
        return `for (let ${i} = 0; ${i} < ${1 + choose(3)}; ${i}++) ${block(s, { inLoop: true, canBreak: true, lets: s.lets, consts: s.consts })}`;
      }
      case 6: {
        const v = fresh('v');
        return `for (const ${v} of [${expression(s, 2)}, ${expression(s, 2)}]) ${block(s, { inLoop: true, canBreak: true, consts: [...s.consts, v] })}`;
      }
      case 7: {
        const v = fresh('w');
        return `let ${v} = 0; while (${v}++ < ${1 + choose(2)} && ${test(s)}) ${block(s, { inLoop: true, canBreak: true })}`;
      }
      case 8: {
        const v = fresh('u');
        return `let ${v} = 0; do ${block(s, { inLoop: true, canBreak: true })} while (${v}++ < ${choose(2)} && ${test(s)});`;
      }
      case 9: {
        const k = fresh('k');
        return `for (const ${k} in { p: 1, q: 2 }) ${block(s, { inLoop: true, canBreak: true, consts: [...s.consts, k] })}`;
      }
      case 10:
        return `switch ((${expression(s)}) & 3) { case 0: ${block(s, { canBreak: true })} case ${expression(s, 2)}: ${block(s, { canBreak: true })} break; default: ${block(s, { canBreak: true })} case 2: ${block(s, { canBreak: true })} }`;
      case 11: {
        const e = fresh('e');
        return `try ${block(s)} catch (${e}) ${block(s, { consts: [...s.consts, e] })}`;
      }
      case 12:
        return `try ${block(s)} finally ${block(s)}`;
      case 13: {
        const e = fresh('e');
        return `try ${block(s)} catch (${e}) ${block(s, { consts: [...s.consts, e] })} finally ${block(s)}`;
      }
      case 14:
        return `if (${test(s)}) throw ${expression(s)};`;
      case 15:
        return s.canBreak
          ? `if (${test(s)}) ${s.inLoop && choose(2) ? 'continue' : s.labels.length && choose(2) ? `break ${pick(s.labels, '')}` : 'break'};`
          : `${expression(s)};`;
      case 16: {
        const l = fresh('L');
        return `${l}: ${['for (const z of "ab")', 'for (let z = 0; z < 2; z++)', ''][choose(3)]} ${block(s, { labels: [...s.labels, l], canBreak: false, inLoop: false })}`;
      }
      case 17: {
        const f = fresh('f'),
          x = fresh('x'),
          own = inner(s, {
            lets: isHeap ? [...s.lets] : [],
            consts: [...s.consts, x],
            closures: `k${f}`,
            labels: [],
            inLoop: false,
            canBreak: false,
          });
        own.lets.push(`m${f}`);
        const bodyText = Array.from({ length: 1 + choose(2) }, () => statement(own)).join('\n');
        s.functions.push(f);
        return `const ${f} = async (${x}${['', ' = 4'][choose(2)]}) => { let m${f} = 1, k${f} = []; ${bodyText}\nreturn ${expression(own)}; };`;
      }
      case 18: {
        const p = fresh('p');
        const captured = pick(capturable(s), '1'),
          text = `const ${p} = (y) => y * 2 + ${captured};`;
        s.pure.push(p);
        return text;
      }
      case 19: {
        // Reassigned, but for good before the closure is made.
        const v = fresh('s'),
          p = fresh('p'),
          text = `let ${v} = ${expression(s)}; if (${test(s)}) ${v} = ${expression(s)}; const ${p} = (y) => y + ${v};`;
        s.consts.push(v);
        s.pure.push(p);
        return text;
      }
      // Closures that outlive the iteration, called later.
      case 20:
      case 21:
        return `${s.closures} = [...${s.closures}, (y) => y * 3 + ${pick(capturable(s), '1')} - ${pick(capturable(s), '1')}];`;
      default:
        return choose(3) === 0 ? `if (${test(s)}) return ${expression(s)};` : pattern(s);
    }
  }

  /** A statement, and what can be used after it. */
  function adding(declare: () => unknown, text: string): string {
    declare();
    return text;
  }

  /** What keeps state outside of plain locals. */
  function heapStatement(s: Scope, kind: number): string {
    const name = fresh('z'),
      value = (): string => expression({ ...s, isAsync: false }, 2),
      seen = (): string => pick(capturable(s), '1'),
      small = (text: string): string => `((${text}) % 97 | 0)`;
    switch (kind) {
      case 23:
        return adding(
          () => [s.changes.push(`${name}up()`), s.lets.push(name)],
          `let ${name} = ${value()}; const ${name}up = () => (${name} = ${small(`${name} * 3 + ${seen()}`)});`,
        );
      case 24:
        return adding(
          () => [
            s.changes.push(`${name}.add(${value()})`, `(${name}.sum = ${value()})`),
            s.waits.push(`(await ${name}.more(2))`),
            s.reads.push(`${name}.sum`, `${name}.list.length`),
          ],
          `const ${name} = { a: ${value()}, list: [${value()}], get sum() { return this.a + this.list.length; }, set sum(x) { this.a = x + ${seen()}; }, add(x) { if (this.list.length < 9) this.list.push(x); return (this.a = ${small('this.a + x')}); }, async more(x) { this.a = ${small(`this.a + ${ask({ ...s, reads: [...s.reads, 'this.a'] })}`)}; return this.a - x; } };`,
        );
      case 25: {
        const base = pick(s.classes, '');
        const members = base
          ? `up(y) { return super.up(y) + 1; } get v() { return super.v - ${seen()}; }`
          : `constructor(x) { this.x = x; } up(y) { return (this.x = ${small('this.x + y')}); } get v() { return this.x + ${seen()}; } async wait(y) { this.x = ${small(`this.x + ${ask(s)}`)}; return this.x - y; } later = (y) => this.up(y) + ${seen()};`;
        return adding(
          () => [
            s.classes.push(`K${name}`),
            s.changes.push(`${name}.up(2)`, `${name}.later(1)`),
            s.waits.push(`(await ${name}.wait(1))`),
            s.reads.push(`${name}.v`),
          ],
          `class K${name} ${base ? `extends ${base} ` : ''}{ ${members} } const ${name} = new K${name}(${value()});`,
        );
      }
      case 26:
        return `const ${name} = new Map([['p', ${value()}], ['q', ${value()}]]); for (const [${name}k, ${name}v] of ${name}) { if (${name}k === 'p') { ${name}.delete('p'); ${name}.set('r', ${value()}); } ${block(s, { inLoop: true, canBreak: true, reads: [...s.reads, `${name}v`, `${name}.size`] })} }`;
      case 27:
        return `for (const [${name}i, ${name}x] of [${value()}, ${value()}].entries()) ${block(s, { inLoop: true, canBreak: true, consts: [...s.consts, `${name}i`, `${name}x`] })}`;
      case 28:
        return adding(
          () => [s.changes.push(`${name}[1]()`, `${name}[0]()`)],
          `const ${name} = []; for (let i = 0; i < 3; i++) { let t = i + ${value()}; ${name}.push(() => (t = ${small('t * 2 + i++')})); }`,
        );
      case 29:
        return adding(
          () => [s.changes.push(`${name}p()`, `${name}q()`)],
          `const ${name} = (x, y = 2, { z } = { z: y }) => { let t = x; for (const w of [1, z]) { let u = w; t += u; if (w > 1) return [() => (t = ${small('t + ++u')}), () => t * y]; } return [() => t++, () => y]; }; const [${name}p, ${name}q] = ${name}(${value()});`,
        );
      case 30:
        return adding(
          () => [s.pure.push(`${name}e`)],
          `function ${name}e(n) { return !(n > 0) ? ${seen()} : ${name}d(Math.min(n, 5) - 1) + 1; } function ${name}d(n) { return !(n > 0) ? ${seen()} : ${name}e(n - 1); }`,
        );
      case 31:
        return adding(
          () => [s.reads.push(`${name}.n`, `${name}.message.length`, `${name}.cause.m`)],
          `const ${name} = Object.assign(new RangeError('m' + ${value()}, { cause: { m: ${value()} } }), { n: ${value()} });`,
        );
      case 32:
        return adding(
          () => [s.reads.push(`${name}.length`)],
          `const ${name} = [...(function* () { let y = (${value()}) % 5; const up = () => y++; while (y < 5) yield up(); })()];`,
        );
      case 33:
        return adding(
          () => [
            s.reads.push(
              `(${name}.s.size + ${name}.when.getTime() / 1000 + Number(${name}.big % 7n) + (${name}.self === ${name} ? 1 : 0) + ${name}.bytes[1])`,
            ),
          ],
          `const ${name} = { when: new Date(((${value()}) | 0) * 1000), big: 10n ** 20n, s: new Set([${value()}, ${value()}]), bytes: Uint8Array.of(1, ${value()}), self: null }; ${name}.self = ${name};`,
        );
      case 34: {
        // The same object under two names.
        const other = pick(
          s.changes.filter((text) => /^z\d+\.add/.test(text)),
          '',
        ).split('.')[0];
        if (!other) return `${expression(s)};`;
        return adding(() => [s.changes.push(`${name}.add(1)`)], `const ${name} = ${other};`);
      }
      default:
        return adding(
          () => [s.waits.push(`(await ${name}.call({ z: 3 }, ${value()}))`)],
          `const ${name} = async function (p) { const q = ${ask(s)}; const inside = () => this.z + arguments[0]; return inside() + q - p; };`,
        );
    }
  }

  const scope: Scope = {
    lets: ['a'],
    consts: ['b'],
    functions: [],
    pure: [],
    labels: [],
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
  const lines = Array.from({ length: 2 + choose(5) }, () => statement(scope));
  return `async function main(ask, b) {\nlet a = 1, fs = [];\n${lines.join('\n')}\nreturn show(a) + ':' + fs.map((f) => f(1)) + ':' + (${expression(scope)});\n}`;
}
