export const limits = { cpuMs: 1000 };

/** Computes for ever. Its own limit ends it sooner than the host's would. */
export default function spin(): never {
  for (let turn = 0; ; turn += 1) Math.sqrt(turn);
}
