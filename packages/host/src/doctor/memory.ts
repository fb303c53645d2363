import { totalmem } from 'node:os';
import { DEFAULT_LIMITS } from '../limits.ts';

const MB = 1024 * 1024;
const HOST_SHARE = 0.75;

/** What the host gives to all cells together when `memoryMb` is 0: three quarters of the machine, or of the container. */
export function defaultBudgetBytes(
  machineBytes: number = totalmem(),
  containerBytes: number = process.constrainedMemory(),
): number {
  return HOST_SHARE * (isContainer(machineBytes, containerBytes) ? containerBytes : machineBytes);
}

// Without a constraint Node says 0, or a number beyond any machine.
function isContainer(machineBytes: number, containerBytes: number): boolean {
  return containerBytes > 0 && containerBytes < machineBytes;
}

/** The default caps against what the machine has. */
export interface MemoryReport {
  machineMb: number;
  /** What a container grants, when that is less than the machine. */
  containerMb: number | null;
  /** What the host gives to all cells together by default. */
  budgetMb: number;
  heapMb: number;
  threadsMaxCount: number;
  /** One servlet with all its threads at their caps. */
  servletMb: number;
  /** So many servlets can be at their caps at once. */
  servletsCount: number;
}

export function examineMemory(
  machineBytes: number = totalmem(),
  containerBytes: number = process.constrainedMemory(),
): MemoryReport {
  const { heapMb, threadsMaxCount } = DEFAULT_LIMITS;
  const machineMb = Math.floor(machineBytes / MB);
  const containerMb = isContainer(machineBytes, containerBytes) ? Math.floor(containerBytes / MB) : null;
  const budgetMb = Math.floor(defaultBudgetBytes(machineBytes, containerBytes) / MB);
  const servletMb = heapMb * threadsMaxCount;
  return {
    machineMb,
    containerMb,
    budgetMb,
    heapMb,
    threadsMaxCount,
    servletMb,
    servletsCount: Math.floor(budgetMb / servletMb),
  };
}
