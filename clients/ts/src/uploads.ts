/**
 * Raw messages for sending: in pieces over a client stream, or whole over HTTP where fetch is all there is.
 *
 * @module
 */
import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createClient, type CallOptions, type Transport } from "@connectrpc/connect";

import { callRules } from "./calls_table.js";
import { PostroomError } from "./errors.js";
import type { Submission } from "./gen/postroom/v1/submission_pb.js";
import {
  SubmissionService,
  UploadSubmissionResponseSchema,
  type UploadSubmissionRequestSchema,
} from "./gen/postroom/v1/submission_service_pb.js";
import type { Source, UploadOptions } from "./platform.js";
import { longestTimerMs } from "./pauses.js";
import { linked } from "./signals.js";
import { fromFailure, fromRest } from "./statuses.js";

/** Bytes of one piece; the contract allows 1 MiB. */
export const pieceBytes = 256 * 1024;
const contentType = "message/rfc822";
const defaultTimeoutMs = callRules["/postroom.v1.SubmissionService/UploadSubmission"]?.timeoutMs ?? 0;

type Piece = MessageInitShape<typeof UploadSubmissionRequestSchema>;

/** Hands a message over by a client stream. */
export async function uploadInPieces(transport: Transport, parent: string, source: Source, options: UploadOptions): Promise<Submission> {
  const call: CallOptions = {
    ...(options.signal && { signal: options.signal }),
    ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
  };
  const answer = await createClient(SubmissionService, transport).uploadSubmission(requests(parent, source, options), call);
  return accepted(answer.submission);
}

/** Hands a message over by `POST /v1/{parent}/submissions:upload`. */
export async function uploadByFetch(url: string, token: string, parent: string, source: Source, options: UploadOptions): Promise<Submission> {
  const target = new URL(`${url}/v1/${parent.split("/").map(encodeURIComponent).join("/")}/submissions:upload`);
  if (options.requestId !== undefined) {
    target.searchParams.set("requestId", options.requestId);
  }
  if (options.sendTime) {
    target.searchParams.set("sendTime", options.sendTime.toISOString());
  }
  const leave = linked(options.signal);
  const late = new PostroomError("the upload took too long", { code: "DEADLINE_EXCEEDED", told: "DEADLINE_EXCEEDED" });
  const limit = options.timeoutMs ?? defaultTimeoutMs;
  const timer = limit > 0 ? setTimeout(() => leave.abort(late), Math.min(limit, longestTimerMs)) : undefined;
  try {
    const headers = { authorization: `Bearer ${token}`, "content-type": contentType };
    const answer = await fetch(target, { method: "POST", headers, body: await blobOf(source), signal: leave.signal });
    const text = await answer.text();
    if (!answer.ok) {
      throw fromRest(answer.status, text);
    }
    return accepted(fromJson(UploadSubmissionResponseSchema, JSON.parse(text), { ignoreUnknownFields: true }).submission);
  } catch (failure) {
    leave.signal.throwIfAborted();
    throw fromFailure(failure);
  } finally {
    clearTimeout(timer);
    leave.done();
  }
}

async function* requests(parent: string, source: Source, options: UploadOptions): AsyncGenerator<Piece> {
  const first: Piece = {
    parent,
    ...(options.requestId !== undefined && { requestId: options.requestId }),
    ...(options.sendTime && { sendTime: timestampFromDate(options.sendTime) }),
  };
  let begun = false;
  for await (const data of slices(source)) {
    yield { ...(begun ? {} : first), content: { contentType, data } };
    begun = true;
  }
  if (!begun) {
    yield { ...first, content: { contentType } };
  }
}

async function* slices(source: Source): AsyncGenerator<Uint8Array> {
  for await (const piece of parts(source)) {
    for (let at = 0; at < piece.length; at += pieceBytes) {
      yield piece.subarray(at, at + pieceBytes);
    }
  }
}

async function* parts(source: Source): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    yield source;
    return;
  }
  if (!(source instanceof Blob) && Symbol.asyncIterator in source) {
    yield* source;
    return;
  }
  const reader = (source instanceof Blob ? source.stream() : source).getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      yield read.value;
    }
  } finally {
    await reader.cancel();
  }
}

async function blobOf(source: Source): Promise<Blob> {
  if (source instanceof Blob) {
    return source;
  }
  const all: BlobPart[] = [];
  for await (const piece of parts(source)) {
    all.push(piece as BlobPart);
  }
  return new Blob(all);
}

function accepted(submission: Submission | undefined): Submission {
  if (!submission) {
    throw new PostroomError("the answer holds no submission", { code: "INTERNAL" });
  }
  return submission;
}
