/** The operators of the language, as far as random programs use them. */

export function goesOn(operator: string, left: unknown): boolean {
  return operator === '&&' ? !!left : operator === '||' ? !left : left === null || left === undefined;
}
export function unary(operator: string, value: any): unknown {
  switch (operator) {
    case '!':
      return !value;
    case '-':
      return -value;
    case '+':
      return +value;
    case '~':
      return ~value;
    case 'typeof':
      return typeof value;
    case 'void':
      return undefined;
    default:
      throw new Error(`The reference does not know ${operator}`);
  }
}
export function binary(operator: string, a: any, b: any): unknown {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '%':
      return a % b;
    case '**':
      return a ** b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    case '===':
      return a === b;
    case '!==':
      return a !== b;
    case 'in':
      return a in b;
    default:
      throw new Error(`The reference does not know ${operator}`);
  }
}
