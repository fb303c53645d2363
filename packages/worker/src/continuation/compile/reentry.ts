import {
  assign,
  binary,
  block,
  call,
  conditional,
  id,
  lit,
  member,
  node,
  placed,
  raw,
  statement,
  type Node,
} from './ast.ts';
import type { Vocabulary } from './lowering.ts';
import { rangeOf } from './number.ts';

/** Turns the lowered statements into code that can be entered at each of its awaits. */
export class Reentry {
  readonly words: Vocabulary;
  readonly isStress: boolean;
  /** Code for the function's static description. */
  readonly meta: () => Node;
  constructor(words: Vocabulary, isStress: boolean, meta: () => Node) {
    this.meta = meta;
    this.words = words;
    this.isStress = isStress;
  }
  #pc(): Node {
    return id(this.words.pc);
  }

  /** `switch ($pc) { default: ...; case 3: ... }`, unless nothing precedes the only statement to enter. */
  list(body: Node[]): Node[] {
    const entries = body.filter((n) => n['$low']);
    if (!entries.length || (entries.length === 1 && body[0] === entries[0])) return body.map((n) => this.#statement(n));
    const cases: Node[] = [];
    let current: Node[] = [];
    const open = (test: Node | null): void => {
      cases.push(node('SwitchCase', { test, consequent: (current = []) }));
    };
    open(null);
    for (const n of body) {
      if (n['$low']) for (let pc = n['$low']; pc <= n['$high']; pc++) open(lit(pc));
      current.push(this.#statement(n));
    }
    return [node('SwitchStatement', { discriminant: this.#pc(), cases })];
  }

  #block(n: Node): Node {
    return n.type === 'BlockStatement' ? { ...n, body: this.list(n['body']) } : n['$low'] ? block(this.list([n])) : n;
  }

  #statement(n: Node): Node {
    if (n.type === 'AwaitStep') return this.#await(n);
    if (n.type === 'TryStep') return this.#try(n);
    if (!n['$low']) {
      if (n.type === 'CaseStep') return this.#cases(n);
      return hasSteps(n) ? this.#plain(n) : n;
    }
    switch (n.type) {
      case 'CaseStep':
        return this.#cases(n);
      case 'LabeledStatement':
        return { ...n, body: this.#labeledBody(n['body']) };
      default:
        return this.#plain(n);
    }
  }

  #labeledBody(n: Node): Node {
    return n.type === 'BlockStatement' ? this.#block(n) : this.#statement(n);
  }

  #plain(n: Node): Node {
    switch (n.type) {
      case 'BlockStatement':
        return this.#block(n);
      case 'LabeledStatement':
        return { ...n, body: this.#labeledBody(n['body']) };
      case 'WhileStatement': {
        const isForever = n['test'].type === 'Literal';
        return {
          ...n,
          test: isForever || !n['$low'] ? n['test'] : binary('||', this.#pc(), n['test']),
          body: this.#block(n['body']),
        };
      }
      case 'DoWhileStatement':
        return { ...n, body: this.#block(n['body']) };
      case 'ForStatement':
        return { ...n, test: n['test'] && binary('||', this.#pc(), n['test']), body: this.#block(n['body']) };
      case 'IfStatement':
        return this.#if(n);
      default:
        return n;
    }
  }

  #if(n: Node): Node {
    const yes = n['consequent']['$low'] ? n['consequent'] : null,
      no = n['alternate']?.['$low'] ? n['alternate'] : null;
    let test = n['test'] as Node;
    if (yes && no) test = conditional(this.#pc(), binary('<=', this.#pc(), lit(yes['$high'])), test);
    else if (yes) test = binary('||', this.#pc(), test);
    else if (no) test = binary('&&', binary('===', this.#pc(), lit(0)), test);
    return {
      ...n,
      test,
      consequent: this.#block(n['consequent']),
      alternate: n['alternate'] ? this.#block(n['alternate']) : null,
    };
  }

  #cases(n: Node): Node {
    const lists = n['lists'] as Node[][];
    let entered: Node | null = null;
    for (let i = lists.length - 1; i >= 0; i--) {
      const range = rangeOf(lists[i]!);
      if (range) entered = entered ? conditional(binary('<=', this.#pc(), lit(range.high)), lit(i), entered) : lit(i);
    }
    const discriminant = entered
      ? conditional(binary('===', this.#pc(), lit(0)), n['selector'], entered)
      : n['selector'];
    return node(
      'SwitchStatement',
      {
        discriminant,
        cases: lists.map((l, i) => node('SwitchCase', { test: lit(i), consequent: [block(this.list(l))] })),
      },
      n,
    );
  }

  /** A token that belongs here passes; anything else is the author's to handle. */
  #try(n: Node): Node {
    const { words } = this,
      guard = call(member(id(words.runtime), n['guard'] === 'catch' ? 'passCatch' : 'passFinally'), [
        id(words.error),
        id(words.promise),
        this.meta(),
        id(words.at),
      ]);
    const handler = block([
      statement(assign(id(words.error), guard)),
      ...n['handler'].map((s: Node) => this.#statement(s)),
    ]);
    return node('TryStatement', {
      block: block(this.list(n['block'])),
      handler: node('CatchClause', { param: id(words.error), body: handler }),
      finalizer: null,
    });
  }

  #await(n: Node): Node {
    const { pc, frame, at, promise } = this.words,
      number = n['$pc'] as number;
    const [wait, done] = this.isStress ? [`${frame}.suspend(${promise} = `, '))'] : [`await (${promise} = `, '))'];
    const value = raw(
      [`${pc} ? (${pc} = 0, ${frame}.resumed()) : (${at} = ${number}, ${wait}`, n['argument'], done],
      n['source'],
    );
    if (n['isTail']) return node('ReturnStatement', { argument: value }, n);
    return statement(n['target'] ? assign(n['target'], value, '=', n) : placed(value, n));
  }
}

function hasSteps(n: Node): boolean {
  return (
    n.type === 'IfStatement' ||
    n.type === 'LabeledStatement' ||
    n.type === 'BlockStatement' ||
    n.type === 'WhileStatement'
  );
}
