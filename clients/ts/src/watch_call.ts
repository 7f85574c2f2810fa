import type { WatchChangesResponse } from "./gen/postroom/v1/change_service_pb.js";
import { now } from "./pauses.js";

/** One stream of a watch: it is read frame by frame, and cancelled when it is left. */
export class WatchCall {
  /** When it was opened, on the clock of `now`. */
  readonly openedAt = now();
  readonly #leave = new AbortController();
  readonly #frames: AsyncIterator<WatchChangesResponse>;

  constructor(open: (signal: AbortSignal) => AsyncIterable<WatchChangesResponse>) {
    this.#frames = open(this.#leave.signal)[Symbol.asyncIterator]();
  }

  /** The next frame, undefined at the end or after `cancel`, `"silent"` when none comes within so many seconds. */
  frame(within: number): Promise<WatchChangesResponse | "silent" | undefined> {
    const { signal } = this.#leave;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => resolve("silent")), within * 1000);
      const cancelled = (): void => settle(() => resolve(undefined));
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", cancelled);
        how();
      };
      signal.addEventListener("abort", cancelled);
      this.#frames.next().then(
        ({ done, value }) => settle(() => resolve(done ? undefined : value)),
        (failure: unknown) => settle(() => (signal.aborted ? resolve(undefined) : reject(failure))),
      );
    });
  }

  /** Ends the call. */
  cancel(): void {
    this.#leave.abort();
  }
}
