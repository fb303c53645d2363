import type { Persistence } from '@custodian/protocol';
import type { FetchRules } from '../fetch/fetch-rules.ts';
import type { Limits } from '../limits.ts';
import type { Profile, Unit } from '../options.ts';

/** A servlet as the operator wants it held. */
export interface HeldServlet {
  name: string;
  /** Where it answers: `/shop/cart`. */
  path: string;
  file: string;
  url: string;
  unit: Unit;
  profile: Profile;
  /** What to have where that can't be had. */
  weakerProfile: Profile | null;
  cell: string;
  limits: Limits;
  spareThreads: number;
  /** What the operator asked for; null: what the module says. */
  persistence: Persistence | null;
  /** What its guests may fetch; null: nothing. */
  fetch: FetchRules | null;
  /** `file:` URLs, ending in a slash, of the packages that are compiled with it. */
  compiledPackages: readonly string[];
}
