/** How long requests in flight may take after stop(). */
export const STOP_GRACE_MS = 5_000;

/** Resolves when `promise` settles, or after `ms`; a rejection is the caller's no more. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([promise.then(() => {}, () => {}), timeout]);
  clearTimeout(timer);
}
