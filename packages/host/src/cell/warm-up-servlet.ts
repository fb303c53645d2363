/** So many functions make a servlet of the length that the host is to load quickly, 2,000 lines: all that is needed for one is there afterwards. */
const STEPS = 100;

/** A servlet with continuations, in TypeScript, that nobody visits: a bit of all that authors write. */
export const WARM_UP_SERVLET: string = `import { html, sendSuspend } from '@custodian/worker';
import type { Request } from '@custodian/worker';

${Array.from({ length: STEPS }, (_, i) => step(i)).join('')}
export default async function visit(request: Request): Promise<unknown> {
  return html\`<p>\${String(request.method)}</p>\`;
}
`;

function step(i: number): string {
  return `interface Order${i}<T extends string = string> {
  readonly name: T;
  count: number;
}

async function ask${i}(label: string, former: Order${i} | null = null): Promise<Order${i}> {
  const reply = await sendSuspend((url: string) => html\`<form action="\${url}"><label>\${label}<input name="n"></label></form>\`);
  const [name = former?.name ?? 'none', ...rest] = String(reply).split(',') as [string, ...string[]];
  let count = 0;
  while (!(count > 0)) count = Number(rest.at(count) ?? (await ask${i}('How many?')).count!);
  for (const each of rest.filter((one): one is string => one !== '')) {
    try {
      if (each.length > 20) throw new RangeError(\`too long: \${each}\`);
    } catch (error) {
      await sendSuspend((url) => html\`<a href="\${url}">\${(error as Error).message}</a>\`);
    }
  }
  return { name, count };
}

export const again${i} = async (order: Order${i}): Promise<number> => {
  const next: Order${i} = { ...order, ...(await ask${i}(order.name, order)) };
  return next.count > 1 ? next.count : 1;
};

`;
}
