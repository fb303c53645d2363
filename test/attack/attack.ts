import type { DeathCause, Limits, Profile } from '../../packages/host/src/index.ts';

/** Something that a servlet does to its host, and how it must end. */
export interface Attack {
  /** A letter for the family, a digit or two. SECURITY.md names attacks by it, so that it is never given to another. */
  number: string;
  name: string;
  /** Body of an async function of `request`; or the whole module, when it begins with `export`. */
  code: string;
  /** Code beside it in the module. */
  prelude?: string;
  /** What its obituary may say; empty: nobody dies. */
  causes: readonly DeathCause[];
  /** What its client may get; `cut`: the connection ends without a page. */
  statuses: readonly (number | 'cut')[];
  /** Codes of docs/errors.md, one of which the page must name. */
  codes?: readonly string[];
  /** What stands on the page besides. */
  page?: string | RegExp;
  /** Default: guest. */
  profile?: Profile;
  /** Whoever shares a cell with it can't be told from it: forged frames come out of its channel. */
  harmsItsCell?: boolean;
  /** Beside those of its family. */
  limits?: Partial<Limits>;
  /** Its visitor stops reading when the answer has begun. */
  hasDeafVisitor?: boolean;
  /** It may as well live on: it stops by itself when it is told that nobody reads. */
  mayLive?: boolean;
  /** The servlet has no healthy route. */
  isAllBad?: boolean;
  /** It is left this long after its answer to do what it has prepared. */
  afterMs?: number;
  /** It gets something that it should not: SECURITY.md says so, by its number. */
  isOpen?: boolean;
  /** The answer comes at once, and all that matters is what it says: nobody's clock runs beside it. */
  isProbe?: boolean;
  /** After it the same servlet is asked for `?again`, and must answer this. */
  again?: { status: readonly (number | 'cut')[]; page?: string | RegExp };
}

export type Row = Omit<Attack, 'number'>;

/** Numbers the rows of a family, from 1. `limits`: those of each, beside its own. */
export function family(letter: string, rows: readonly Row[], limits: Partial<Limits> = {}): Attack[] {
  return rows.map((row, index) => ({
    number: `${letter}${index + 1}`,
    ...row,
    limits: { ...limits, ...row.limits },
  }));
}

/** Ends by a cap on memory: the thread's, or the wall of its process. */
export function memory(name: string, code: string, more: Partial<Row> = {}): Row {
  return { name, code, causes: ['heap', 'rss'], statuses: [503], codes: ['LIMIT_HEAP', 'LIMIT_RSS'], ...more };
}

/** Ends by a clock. */
export function time(name: string, code: string, cause: 'cpu' | 'wall', more: Partial<Row> = {}): Row {
  // On a busy machine CPU time comes slowly: the other clock is not what is tried.
  const limits = { wallMs: cause === 'wall' ? 600 : 20_000 };
  return {
    name,
    code,
    causes: [cause],
    statuses: [504],
    codes: [cause === 'cpu' ? 'LIMIT_CPU' : 'LIMIT_WALL'],
    limits,
    ...more,
  };
}

/** Nobody dies: the servlet gets an error or an answer, which is this. */
export function returns(name: string, code: string, page: string | RegExp, more: Partial<Row> = {}): Row {
  return { name, code, causes: [], statuses: [200], page, ...more };
}

/** What is tried fails with this error, by code or name; the servlet lives on. */
export function denied(name: string, attempt: string, error: string, more: Partial<Row> = {}): Row {
  return {
    name,
    code: `return attempt(async () => { ${attempt} });`,
    causes: [],
    statuses: [200],
    page: new RegExp(`^denied: (?:${error})\\b`),
    isProbe: true,
    ...more,
  };
}
