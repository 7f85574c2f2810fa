/**
 * The errors of the client: one class for what the server refuses, by reason, and three for what it does not say as a status.
 *
 * It owns no reading of statuses; that is `statuses.ts`.
 *
 * @module
 */
import type { StatusCode } from "./codes.js";
import { ErrorReason } from "./gen/postroom/v1/error_reason_pb.js";

/** Why the server refused, by the names of `postroom.v1.ErrorReason`. */
export type Reason = Exclude<keyof typeof ErrorReason, "ERROR_REASON_UNSPECIFIED">;

/** A field at fault. */
export interface Violation {
  /** The field as a JSON path, such as `submission.composed.to[1].address`. */
  readonly field: string;
  /** What is wrong with it. */
  readonly description: string;
}

/** What an error is made of. */
export interface PostroomErrorInit {
  /** The status code. */
  readonly code: StatusCode;
  /** The reason as the server said it. */
  readonly told?: string;
  /** The variable parts of the message. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The fields at fault. */
  readonly violations?: readonly Violation[];
  /** Seconds after which the same call may succeed. */
  readonly retryAfter?: number | undefined;
  /** What it was made from. */
  readonly cause?: unknown;
}

/**
 * The server refused a call, or could not be reached (then `reason` is empty).
 *
 * ```ts
 * try {
 *   await client.accounts.getAccount({ name: "accounts/ada" });
 * } catch (error) {
 *   if (!isReason(error, "ACCOUNT_NOT_FOUND")) throw error;
 *   console.log("no such account:", error.metadata["account"]);
 * }
 * ```
 */
export class PostroomError extends Error {
  override name = "PostroomError";
  /** The reason, if this version knows it; empty if not, or if the error does not come from a server. */
  readonly reason: Reason | "";
  /** The reason as the server said it, also one that this version does not know. */
  readonly told: string;
  /** The status code. */
  readonly code: StatusCode;
  /** The variable parts of the message, such as `account`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields at fault. */
  readonly violations: readonly Violation[];
  /** Seconds after which the same call may succeed; undefined when waiting does not help or is unknown. */
  readonly retryAfter: number | undefined;

  constructor(message: string, init: PostroomErrorInit) {
    super(message, "cause" in init ? { cause: init.cause } : undefined);
    this.told = init.told ?? "";
    this.reason = isKnown(this.told) ? this.told : "";
    this.code = init.code;
    this.metadata = init.metadata ?? {};
    this.violations = init.violations ?? [];
    this.retryAfter = init.retryAfter;
  }

  /** Whether the same call may succeed a little later. */
  get transient(): boolean {
    return this.code === "UNAVAILABLE" || this.code === "RESOURCE_EXHAUSTED";
  }
}

/** The changes so far no longer lead to the present: list again what `scope` names, then iterate over the same watch. */
export class FeedReset extends PostroomError {
  override name = "FeedReset";
  /** What has to be listed again: an account, a mailbox, or `accounts/-`. */
  readonly scope: string;
  /** Why, by the names of `postroom.v1.Reset.Reason`. */
  readonly why: string;
  /** The position after the reset, to be stored once the listing is done. */
  readonly cursor: string;

  constructor(scope: string, why: string, cursor: string) {
    super(`the feed of ${scope} was reset: ${why}`, { code: "UNKNOWN" });
    this.scope = scope;
    this.why = why;
    this.cursor = cursor;
  }
}

/** The server ended the stream for good: REPLACED, TOKEN_REVOKED, ACCOUNT_REMOVED or CONSUMER_CHANGED. */
export class WatchEnded extends PostroomError {
  override name = "WatchEnded";
  /** Why, by the names of `postroom.v1.StreamEnd.Reason`. */
  readonly why: string;
  /** The position after the last frame. */
  readonly cursor: string;

  constructor(why: string, cursor: string) {
    super(`the stream ended: ${why}`, { code: "UNKNOWN" });
    this.why = why;
    this.cursor = cursor;
  }
}

/** What came is not what the server announced: too short, too long, or another hash. */
export class DownloadDamaged extends PostroomError {
  override name = "DownloadDamaged";

  constructor(message: string) {
    super(message, { code: "DATA_LOSS" });
  }
}

/** Whether `error` is a PostroomError of this reason. A reason that this version does not know is compared as it was told. */
export function isReason(error: unknown, reason: Reason | (string & {})): error is PostroomError {
  return error instanceof PostroomError && error.told !== "" && error.told === reason;
}

function isKnown(told: string): told is Reason {
  return told !== "ERROR_REASON_UNSPECIFIED" && Number.isNaN(Number(told)) && Object.hasOwn(ErrorReason, told);
}
