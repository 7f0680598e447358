/** How long requests in flight may take after stop(). */
const STOP_GRACE_MS = 5_000;

/**
 * Resolves when `stopped` settles, `enough` does, or the grace is over; a rejection is the caller's
 * no more.
 */
export async function withinGrace(
  stopped: Promise<unknown>,
  enough: Promise<unknown> | undefined,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => timer = setTimeout(resolve, STOP_GRACE_MS));
  const ends = enough === undefined ? [stopped, timeout] : [stopped, timeout, enough];
  await Promise.race(ends).catch(() => {});
  clearTimeout(timer);
}
