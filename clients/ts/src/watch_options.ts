/**
 * What a watch is asked for, and where it stands.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";

import { Change_Kind } from "./gen/postroom/v1/change_pb.js";
import { WatchChangesRequest_StartFrom, WatchChangesRequestSchema, type WatchChangesRequest } from "./gen/postroom/v1/change_service_pb.js";
import type { ChangeKind } from "./kinds.js";

/** Seconds at most which the server stays silent. */
export const defaultHeartbeat = 25;

/**
 * Where a watch stands.
 *
 * - `connecting`: there is no stream, or the next one is waited for
 * - `catching_up`: a stream is open, and not at the head yet
 * - `live`: a checkpoint said that nothing is missing
 * - `reset`: a reset was handed over, until the reader asks on
 * - `closed`: over
 */
export type WatchState = "connecting" | "catching_up" | "live" | "reset" | "closed";

/** Options of a watch. */
export interface WatchOptions {
  /** Where to go on; without it from `start`. */
  readonly cursor?: string;
  /** `NOW` by default. */
  readonly start?: "NOW" | "EARLIEST" | "SNAPSHOT";
  /** The kinds of changes; all by default. */
  readonly kinds?: readonly ChangeKind[];
  /** Resource names or roles of mailboxes; all by default. */
  readonly mailboxes?: readonly string[];
  /** Seconds, 5 to 60, at most which the server stays silent; 25 by default. */
  readonly heartbeat?: number;
  /** Seconds without any frame after which the last error is raised; never by default. */
  readonly patience?: number;
  /** Told of each change of the state. */
  readonly onState?: (state: WatchState) => void;
  /** Closes the watch while a loop reads it, which ends in the signal's reason; later loops end so at once. */
  readonly signal?: AbortSignal;
}

/**
 * The request of a watch that begins at its start.
 *
 * @throws TypeError for a word that the contract does not know, RangeError for a heartbeat that takes no time
 */
export function requestOf(parent: string, options: WatchOptions): WatchChangesRequest {
  const heartbeat = options.heartbeat ?? defaultHeartbeat;
  if (!(heartbeat > 0)) {
    throw new RangeError("a heartbeat takes time");
  }
  return create(WatchChangesRequestSchema, {
    parent,
    start: { case: "startFrom", value: known(WatchChangesRequest_StartFrom, options.start ?? "NOW") },
    kinds: options.kinds?.map((kind) => known(Change_Kind, kind)) ?? [],
    mailboxes: [...(options.mailboxes ?? [])],
    heartbeatInterval: { seconds: BigInt(Math.trunc(heartbeat)), nanos: Math.round((heartbeat % 1) * 1e9) },
  });
}

/** The number of a word; what the contract does not know is a mistake of the caller. */
function known<Words extends object>(words: Words, word: keyof Words): Words[keyof Words] {
  if (!Object.hasOwn(words, word)) {
    throw new TypeError(`the contract knows no ${String(word)}`);
  }
  return words[word];
}
