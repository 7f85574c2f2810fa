/**
 * The feed, read for as long as one likes: it reconnects by cursor, and hands over each change once.
 *
 * It owns the reader's side of the promises: resume after the last change that was finished, tell a silent connection from a
 * quiet feed (every stream has a heartbeat), cancel what is left behind, wait with jitter and not for long. It refuses to
 * store the cursor: that is the caller's, best in the same transaction as what the change causes. It reads nothing ahead:
 * what is on its way is bounded by the connection's flow control.
 *
 * @module
 */
import type { Duration } from "@bufbuild/protobuf/wkt";

import type { StatusCode } from "./codes.js";
import { FeedReset, PostroomError, WatchEnded } from "./errors.js";
import type { Change } from "./gen/postroom/v1/change_pb.js";
import {
  StreamEnd_Reason,
  type StreamEnd,
  type WatchChangesRequest,
  type WatchChangesResponse,
} from "./gen/postroom/v1/change_service_pb.js";
import { Reset_Reason, type Reset } from "./gen/postroom/v1/reset_pb.js";
import { between, now, pause, pauseAfter } from "./pauses.js";
import { Repetitions } from "./repetitions.js";
import { onAbort } from "./signals.js";
import { WatchCall } from "./watch_call.js";
import { defaultHeartbeat, requestOf, type WatchOptions, type WatchState } from "./watch_options.js";

/** Heartbeats without any frame after which the connection counts as dead. */
export const silence = 2.5;
/** A stream that lived this many seconds makes the next pause start small again. */
export const healthySeconds = 60;

const fatal: ReadonlySet<StatusCode> = new Set([
  "CANCELLED", // only a client that is closed says so
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "FAILED_PRECONDITION",
  "ALREADY_EXISTS",
]);
const final: ReadonlySet<StreamEnd_Reason> = new Set([
  StreamEnd_Reason.REPLACED,
  StreamEnd_Reason.TOKEN_REVOKED,
  StreamEnd_Reason.ACCOUNT_REMOVED,
  StreamEnd_Reason.CONSUMER_CHANGED,
]);

/** What a watch needs of its client. */
export interface WatchWays {
  /** Opens a stream. */
  open(request: WatchChangesRequest, signal: AbortSignal): AsyncIterable<WatchChangesResponse>;
  /** Told that a stream went silent, and when it was opened. */
  renew(openedAt: number): void;
  /** Told when a loop begins, and when the watch is closed or its loop left. */
  reading(watch: Watch, yes: boolean): void;
}

/**
 * Changes without end; made by `Postroom.watch`.
 *
 * `for await (const change of watch)` throws FeedReset (list again, then iterate over the same watch to go on), a
 * PostroomError with the reason CURSOR_EXPIRED, WatchEnded, and whatever else trying again does not cure. A change is
 * finished when the next one is asked for. A loop that was left has no call open, and gets the change that it had in hand
 * again when the watch is iterated over once more.
 */
export class Watch implements AsyncIterable<Change> {
  readonly #ways: WatchWays;
  readonly #request: WatchChangesRequest;
  readonly #options: WatchOptions;
  readonly #silence: number;
  readonly #patience: number;
  readonly #repetitions = new Repetitions();
  readonly #over = new AbortController();
  #release: (() => void) | undefined;
  #call: WatchCall | undefined;
  #state: WatchState = "connecting";
  #cursor: string;
  #headCursor = "";
  #lagChanges = 0;
  #inHand: Change | undefined;
  #ahead = "";
  #asking = false;
  #failure: PostroomError | undefined;
  #failures = 0;
  #quietSince = 0;
  #wait = 0;

  /** @internal */
  constructor(ways: WatchWays, parent: string, options: WatchOptions) {
    this.#ways = ways;
    this.#options = options;
    this.#silence = (options.heartbeat ?? defaultHeartbeat) * silence;
    this.#patience = options.patience ?? Number.POSITIVE_INFINITY;
    this.#cursor = options.cursor ?? "";
    this.#request = requestOf(parent, options);
  }

  /** The position after the last finished change, or a later checkpoint: to be stored and given to a later watch. */
  get cursor(): string {
    return this.#cursor;
  }

  /** Where the watch stands. */
  get state(): WatchState {
    return this.#state;
  }

  /** The position after the newest change, as of the last checkpoint. */
  get headCursor(): string {
    return this.#headCursor;
  }

  /** Changes between `cursor` and the head, as of the last checkpoint. */
  get lagChanges(): number {
    return this.#lagChanges;
  }

  /** Iterates over the changes after `cursor`; one loop at a time. */
  [Symbol.asyncIterator](): AsyncIterator<Change, undefined> {
    if (this.#asking) {
      throw new TypeError("another loop reads this watch");
    }
    this.#leave();
    const { signal } = this.#options;
    this.#release = signal && onAbort(signal, () => this.close());
    return {
      next: () => this.#next(),
      return: () => {
        this.#leave();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** Calls `handler` with each change, one after the other; a change is finished when its handler returned. */
  async each(handler: (change: Change) => unknown): Promise<void> {
    for await (const change of this) {
      await handler(change);
    }
  }

  /** Ends the watch and its loop; the change in hand is not finished by it. */
  close(): void {
    this.#over.abort();
    this.#drop();
    this.#enter("closed");
    this.#letGo();
  }

  async #next(): Promise<IteratorResult<Change, undefined>> {
    if (this.#asking) {
      throw new TypeError("another loop reads this watch");
    }
    this.#asking = true;
    try {
      this.#finish();
      const change = await this.#change();
      this.#options.signal?.throwIfAborted();
      return change ? { done: false, value: change } : { done: true, value: undefined };
    } finally {
      this.#asking = false;
    }
  }

  async #change(): Promise<Change | undefined> {
    this.#quietSince = now();
    while (this.#state !== "closed") {
      const frame = await this.#frame();
      const change = frame && this.#taken(frame);
      if (change) {
        return change;
      }
    }
    return undefined;
  }

  /** The next frame; undefined where the stream had to be left, or the watch was closed. */
  async #frame(): Promise<WatchChangesResponse | undefined> {
    this.#call ??= await this.#connected();
    if (!this.#call) {
      return undefined;
    }
    const patience = this.#patienceLeft();
    const frame = await this.#call.frame(Math.max(0, Math.min(this.#silence, patience))).catch((failure: unknown) => asError(failure));
    if (this.#over.signal.aborted) {
      return undefined;
    }
    if (frame === undefined) {
      this.#again(new PostroomError("the stream ended without an end", { code: "UNAVAILABLE" }));
    } else if (frame === "silent") {
      if (patience >= this.#silence) {
        this.#ways.renew(this.#call.openedAt);
      }
      this.#again((patience < this.#silence && this.#failure) || new PostroomError("the stream went silent", { code: "UNAVAILABLE" }));
    } else if (frame instanceof Error) {
      this.#failed(frame);
    } else {
      this.#heard();
      return frame;
    }
    return undefined;
  }

  #heard(): void {
    this.#quietSince = now();
    this.#failure = undefined;
    if (this.#state === "connecting") {
      this.#enter("catching_up");
    }
  }

  /** The next stream, when its time has come; undefined if the watch was closed before. */
  async #connected(): Promise<WatchCall | undefined> {
    this.#enter("connecting");
    this.#ways.reading(this, true);
    await pause(Math.min(this.#wait, this.#patienceLeft()), this.#over.signal);
    this.#wait = 0;
    if (this.#over.signal.aborted) {
      return undefined;
    }
    if (this.#failure) {
      this.#raiseWhenOutOfPatience(this.#failure);
    }
    const start: WatchChangesRequest["start"] = this.#cursor ? { case: "cursor", value: this.#cursor } : this.#request.start;
    const request: WatchChangesRequest = { ...this.#request, start };
    return new WatchCall((signal) => this.#ways.open(request, signal));
  }

  /** What a frame means; the change to hand over, if it is one that was not handed over before. */
  #taken({ cursor, frame }: WatchChangesResponse): Change | undefined {
    if (frame.case === "reset") {
      throw this.#resetBy(frame.value, cursor);
    }
    if (frame.case === "end") {
      this.#ended(frame.value, cursor);
      return undefined;
    }
    if (frame.case === "checkpoint") {
      this.#cursor = cursor || this.#cursor;
      this.#headCursor = frame.value.headCursor;
      this.#lagChanges = Number(frame.value.lagChanges);
      this.#enter(this.#lagChanges === 0 ? "live" : "catching_up");
      return undefined;
    }
    if (frame.case === "change" && !this.#repetitions.has(frame.value)) {
      this.#inHand = frame.value;
      this.#ahead = cursor;
      return frame.value;
    }
    this.#cursor = cursor || this.#cursor;
    return undefined;
  }

  #resetBy(reset: Reset, cursor: string): FeedReset {
    this.#drop();
    this.#ahead = cursor;
    this.#enter("reset");
    this.#letGo();
    return new FeedReset(reset.scope, Reset_Reason[reset.reason] ?? String(reset.reason), cursor);
  }

  #ended(end: StreamEnd, cursor: string): void {
    const opened = this.#call?.openedAt ?? now();
    this.#cursor = cursor || this.#cursor;
    this.#drop();
    if (final.has(end.reason)) {
      this.close();
      throw new WatchEnded(StreamEnd_Reason[end.reason], this.#cursor);
    }
    this.#enter("connecting");
    const asked = end.retryAfter ? seconds(end.retryAfter) : 0;
    this.#wait = Math.max(asked * between(0.5, 1), this.#backOff(opened));
  }

  #failed(failure: Error): void {
    if (!(failure instanceof PostroomError) || fatal.has(failure.code)) {
      this.close();
      throw failure;
    }
    this.#again(failure);
  }

  /** Leaves the stream; the next one is opened after a pause. Throws `error` when patience is at its end. */
  #again(error: PostroomError): void {
    const opened = this.#call?.openedAt ?? now();
    this.#failure = error;
    this.#drop();
    this.#enter("connecting");
    this.#raiseWhenOutOfPatience(error);
    this.#wait = Math.max(error.retryAfter ?? 0, this.#backOff(opened));
  }

  #patienceLeft(): number {
    return this.#quietSince + this.#patience - now();
  }

  #raiseWhenOutOfPatience(error: PostroomError): void {
    if (this.#patienceLeft() <= 0) {
      this.close();
      throw error;
    }
  }

  #backOff(opened: number): number {
    this.#failures = now() - opened >= healthySeconds ? 0 : this.#failures;
    const longest = pauseAfter(this.#failures);
    this.#failures += 1;
    return between(longest / 2, longest);
  }

  /** What was in hand is done: the cursor moves behind it. */
  #finish(): void {
    if (this.#inHand) {
      this.#repetitions.add(this.#inHand);
    } else if (this.#ahead) {
      this.#repetitions.clear(); // it was a reset: what follows may be counted anew
    }
    this.#cursor = this.#ahead || this.#cursor;
    this.#inHand = undefined;
    this.#ahead = "";
  }

  /** Leaves the loop: the call is dropped, and a change in hand comes again. */
  #leave(): void {
    if (this.#inHand) {
      this.#inHand = undefined;
      this.#ahead = "";
    }
    if (this.#call) {
      this.#drop();
      this.#enter("connecting");
    }
    this.#letGo();
  }

  /** Nobody holds the watch any more but its reader. */
  #letGo(): void {
    this.#release?.();
    this.#release = undefined;
    this.#ways.reading(this, false);
  }

  #drop(): void {
    this.#call?.cancel();
    this.#call = undefined;
  }

  #enter(state: WatchState): void {
    if (state !== this.#state && this.#state !== "closed") {
      this.#state = state;
      this.#options.onState?.(state);
    }
  }
}

function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(String(failure));
}

function seconds(duration: Duration): number {
  return Number(duration.seconds) + duration.nanos / 1e9;
}
