/**
 * The policy of calls: every one carries the token, has a deadline, and is made again while no node can take it, if making
 * it twice is the same as making it once. Failures become PostroomErrors.
 *
 * It is a transport around a transport, because a call that is made again has to get what is left of its deadline. It
 * refuses to know the rule of a method by itself: `calls_table.ts` is generated from the table of all clients.
 *
 * @module
 */
import type { DescMethod } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";

import { callRules, type CallRule } from "./calls_table.js";
import type { PostroomError } from "./errors.js";
import { between, firstPause, lastPause, longestTimerMs, now, pause } from "./pauses.js";
import { linked, type Linked } from "./signals.js";
import { fromFailure } from "./statuses.js";

const fallback: CallRule = { timeoutMs: 30_000, repeat: "NEVER" };

/** A transport that follows the policy; `closed` is aborted when the client is closed. */
export function governed(transport: Transport, token: string, closed: AbortSignal): Transport {
  const authorized = (given: HeadersInit | undefined): Headers => {
    const header = new Headers(given);
    header.set("authorization", `Bearer ${token}`);
    return header;
  };
  return {
    async unary(method, given, timeoutMs, header, input, contextValues) {
      const rule = callRules[pathOf(method)] ?? fallback;
      const limit = timeoutMs ?? rule.timeoutMs;
      const deadline = limit > 0 ? now() + limit / 1000 : Number.POSITIVE_INFINITY;
      const repeatable = rule.repeat === "ALWAYS" || (rule.repeat === "WITH_REQUEST_ID" && hasRequestId(input));
      const { signal, done } = linked(given, closed);
      try {
        for (let longest = firstPause; ; longest = Math.min(longest * 2, lastPause)) {
          signal.throwIfAborted();
          try {
            return await transport.unary(method, signal, remaining(deadline), authorized(header), input, contextValues);
          } catch (failure) {
            signal.throwIfAborted();
            const error = fromFailure(failure);
            const wait = Math.max(error.retryAfter ?? 0, between(0, longest));
            if (!repeatable || !isPassing(error) || now() + wait >= deadline) {
              throw error;
            }
            await pause(wait, signal);
          }
        }
      } finally {
        done();
      }
    },
    async stream(method, given, timeoutMs, header, input, contextValues) {
      const link = linked(given, closed);
      try {
        link.signal.throwIfAborted();
        const limit = bounded(timeoutMs ?? (callRules[pathOf(method)] ?? fallback).timeoutMs);
        const answer = await transport.stream(method, link.signal, limit, authorized(header), input, contextValues);
        return { ...answer, message: translated(answer.message, link) };
      } catch (failure) {
        link.done();
        link.signal.throwIfAborted();
        throw fromFailure(failure);
      }
    },
  };
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function remaining(deadline: number): number {
  return bounded(Math.max(1, Math.ceil((deadline - now()) * 1000)));
}

/** Milliseconds for Connect, for which 0 is no deadline: that is also one that no timer reaches. */
function bounded(limit: number): number {
  return limit > longestTimerMs ? 0 : limit;
}

function hasRequestId(input: unknown): boolean {
  return typeof input === "object" && input !== null && "requestId" in input && Boolean(input.requestId);
}

/** Whether nobody took the call, so that it may be made again. What the provider said, or may have done, is not repeated. */
function isPassing(error: PostroomError): boolean {
  return error.code === "UNAVAILABLE" && !error.told.startsWith("PROVIDER_") && error.told !== "OUTCOME_UNKNOWN";
}

/** The frames of a stream; it ends in a PostroomError, or in the reason of the signal. */
async function* translated<T>(frames: AsyncIterable<T>, { signal, done }: Linked): AsyncGenerator<T> {
  try {
    yield* frames;
  } catch (failure) {
    signal.throwIfAborted();
    throw fromFailure(failure);
  } finally {
    done();
  }
}
