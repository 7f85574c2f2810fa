/**
 * Signals that end calls: told to many by one listener each, and linked.
 *
 * A client's calls share few signals, so each gets one listener, however many calls it ends; otherwise Node warns of a leak.
 *
 * @module
 */

/** A signal that is aborted with the first of several. */
export interface Linked {
  /** The signal. */
  readonly signal: AbortSignal;
  /** Aborts it. */
  abort(reason?: unknown): void;
  /** Lets go of the others; to be called in any case, because they may live for long. */
  done(): void;
}

const tellings = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `act` once when `signal` is aborted, at once if it is; the answer takes that back. */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) {
    act();
    return () => undefined;
  }
  const acts = tellings.get(signal) ?? told(signal);
  acts.add(act);
  return () => void acts.delete(act);
}

/**
 * Links signals. `AbortSignal.any` would do the same, but keeps what it made for as long as a source lives in Node 20.
 */
export function linked(...sources: (AbortSignal | undefined)[]): Linked {
  const made = new AbortController();
  const bonds: (() => void)[] = [];
  const done = (): void => bonds.splice(0).forEach((release) => release());
  const abort = (reason?: unknown): void => {
    done();
    made.abort(reason);
  };
  for (const source of sources) {
    if (source && !made.signal.aborted) {
      bonds.push(onAbort(source, () => abort(source.reason)));
    }
  }
  return { signal: made.signal, abort, done };
}

function told(signal: AbortSignal): Set<() => void> {
  const acts = new Set<() => void>();
  tellings.set(signal, acts);
  const tell = (): void => [...acts].forEach((act) => act());
  signal.addEventListener("abort", tell, { once: true });
  return acts;
}
