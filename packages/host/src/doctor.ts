import type { Paint } from './cli/paint.ts';
import { examineMemory, type MemoryReport } from './doctor/memory.ts';
import { strippedNodeOptions, type StrippedOption } from './doctor/node-options.ts';
import { PROBES } from './doctor/probes.ts';
import { probe, type Wall } from './doctor/wall.ts';

/** What `custodian doctor` found. */
export interface DoctorReport {
  node: string;
  platform: string;
  walls: Wall[];
  memory: MemoryReport;
  /** Flags of NODE_OPTIONS that would defeat a cap, which is why cells do not get them. */
  nodeOptions: StrippedOption[];
  /** Whether every wall stands without which no servlet is held. */
  isAble: boolean;
}

/** Tries every wall on this machine. Takes as long as the slowest of them. */
export async function examine(): Promise<DoctorReport> {
  const walls = await Promise.all(PROBES.map(probe));
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    walls,
    memory: examineMemory(),
    nodeOptions: strippedNodeOptions(process.env),
    isAble: walls.every((wall) => !wall.isVital || wall.state === 'used'),
  };
}

// The others start a Node each, which a server that starts would notice.
const QUICK = new Set(['RSS sampling from /proc']);

/** The walls that the host would use and this machine lacks. Tries only those that are quick to try. */
export async function missingWalls(): Promise<Wall[]> {
  const quick = PROBES.filter(({ name, profiles }) => profiles.length > 0 && QUICK.has(name));
  const walls = await Promise.all(quick.map(probe));
  return walls.filter((wall) => wall.state === 'missing');
}

const STATES: Record<Wall['state'], { word: string; style: 'green' | 'dim' | 'yellow' }> = {
  used: { word: 'used', style: 'green' },
  available: { word: 'here, not used by this version', style: 'dim' },
  missing: { word: 'not here', style: 'yellow' },
};

/** The report for people. */
export function render(report: DoctorReport, paint: Paint): string {
  const lines = [`${paint('bold', 'Walls')} on ${report.platform}, Node ${report.node}`, ''];
  const width = Math.max(...report.walls.map((wall) => wall.name.length));
  for (const wall of report.walls) {
    const { word, style } = STATES[wall.state];
    const isFatal = wall.isVital && wall.state === 'missing';
    lines.push(`  ${wall.name.padEnd(width)}  ${paint(isFatal ? 'red' : style, word)}: ${wall.seen}`);
    const whose = wall.profiles.length === 0 ? '' : ` (${wall.profiles.join(', ')})`;
    lines.push(`  ${''.padEnd(width)}  ${paint('dim', `stops ${wall.stops}${whose}`)}`);
  }
  lines.push('', paint('bold', 'Memory'), '', ...memoryLines(report.memory));
  lines.push('', paint('bold', 'NODE_OPTIONS'), '');
  if (report.nodeOptions.length === 0) lines.push('  nothing that would defeat a cap');
  for (const { flag, why } of report.nodeOptions) {
    lines.push(`  ${paint('yellow', flag)}: not passed on to cells, because ${why}`);
  }
  lines.push(
    '',
    report.isAble ? 'Servlets can be held here.' : paint('red', 'Servlets cannot be held here: see the walls in red.'),
  );
  return `${lines.join('\n')}\n`;
}

function memoryLines(memory: MemoryReport): string[] {
  const whole =
    memory.containerMb === null
      ? `this machine has ${memory.machineMb} MB`
      : `this container has ${memory.containerMb} MB (the machine ${memory.machineMb} MB)`;
  const fit =
    memory.servletsCount === 0
      ? 'not one servlet fits with all its threads at their caps: lower heapMb or threadsMaxCount'
      : `${memory.servletsCount} servlet${memory.servletsCount === 1 ? '' : 's'} can be at all caps at once; a cell that does not fit waits`;
  return [
    `  ${whole}; all cells together get ${memory.budgetMb} MB (memoryMb)`,
    `  a servlet at its caps: ${memory.threadsMaxCount} threads x ${memory.heapMb} MB = ${memory.servletMb} MB (threadsMaxCount, heapMb)`,
    `  ${fit}`,
  ];
}
