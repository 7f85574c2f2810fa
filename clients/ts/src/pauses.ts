/**
 * Waiting: pauses that grow, with jitter, and that end when they are no longer wanted.
 *
 * @module
 */

/** The first pause before something is tried again, in seconds. */
export const firstPause = 0.05;
/** The longest pause, in seconds: short, so that a reader is back soon after its server is. */
export const lastPause = 1;
const doublings = 10;
/** The longest time that a timer takes, in milliseconds; with a longer one it fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** The longest pause after so many failures in a row, in seconds. */
export function pauseAfter(failures: number): number {
  return Math.min(lastPause, firstPause * 2 ** Math.min(failures, doublings));
}

/** A number between two, drawn evenly. */
export function between(low: number, high: number): number {
  return low + Math.random() * (high - low);
}

/** Returns after `seconds`, or at once when one of `signals` is aborted; it never rejects. */
export function pause(seconds: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  if (seconds <= 0 || signals.some((signal) => signal?.aborted)) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      for (const signal of signals) {
        signal?.removeEventListener("abort", over);
      }
      resolve();
    };
    const timer = setTimeout(over, Math.min(seconds * 1000, longestTimerMs));
    for (const signal of signals) {
      signal?.addEventListener("abort", over);
    }
  });
}

/** Seconds on a clock that only goes forward. */
export function now(): number {
  return performance.now() / 1000;
}
