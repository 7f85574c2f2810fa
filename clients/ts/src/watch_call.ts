import type { WatchChangesResponse } from "./gen/postroom/v1/change_service_pb.js";
import { now } from "./pauses.js";

/** One stream of a watch: it is read frame by frame, and cancelled when it is left. */
export class WatchCall {
  /** When it was made, on the clock of `now`. */
  readonly openedAt = now();
  readonly #leave = new AbortController();
  readonly #open: (signal: AbortSignal) => AsyncIterable<WatchChangesResponse>;
  #frames: AsyncIterator<WatchChangesResponse> | undefined;

  constructor(open: (signal: AbortSignal) => AsyncIterable<WatchChangesResponse>) {
    this.#open = open;
  }

  /** The next frame, undefined at the end or after `cancel`, `"silent"` when none comes within so many seconds. */
  frame(within: number): Promise<WatchChangesResponse | "silent" | undefined> {
    const { signal } = this.#leave;
    const frames = (this.#frames ??= this.#open(signal)[Symbol.asyncIterator]());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => resolve("silent")), within * 1000);
      const cancelled = (): void => settle(() => resolve(undefined));
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", cancelled);
        how();
      };
      signal.addEventListener("abort", cancelled);
      frames.next().then(
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
