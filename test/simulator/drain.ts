/** Lets all promises go on that can, before it returns. */
export type Drain = () => void;

/** Undefined where the runtime has no such call: then `drainLater` does it. */
export async function loadDrain(): Promise<Drain | undefined> {
  if (!("Bun" in globalThis)) return undefined;
  const { drainMicrotasks } = await import("bun:jsc");
  return drainMicrotasks;
}

/** Resolves when all promises have gone on that could. */
export function drainLater(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
