import { totalmem } from "node:os";
import process from "node:process";

/** Bytes of memory that this process may have: the machine's, or less where a cgroup limits it. */
export function memoryBytes(): number {
  const constrained = process.constrainedMemory?.() ?? 0;
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** Bytes that the runtime has for values, with what it may collect. */
export function runtimeBytes(): number {
  const { heapTotal, external } = process.memoryUsage();
  return heapTotal + external;
}
