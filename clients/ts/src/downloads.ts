/**
 * Downloads that are whole or an error: size and SHA-256 are checked against what the server says.
 *
 * @module
 */
import type { CallOptions } from "@connectrpc/connect";

import { DownloadDamaged } from "./errors.js";
import type { HttpBody } from "./gen/google/api/httpbody_pb.js";
import type { Hash } from "./platform.js";
import { linked, type Linked } from "./signals.js";

const announcedLength = "x-content-length";
const announcedHash = "x-content-sha256";

/** Options of a download. */
export interface DownloadOptions {
  /** Ends the download. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the download is given up; without end by default. */
  readonly timeoutMs?: number;
}

/** Opens the stream of a download. */
export type Downloading = (options: CallOptions) => AsyncIterable<{ body?: HttpBody | undefined }>;

/**
 * The pieces of a download. It ends in DownloadDamaged when what came is not what was announced; leaving the loop cancels
 * the call.
 */
export async function* pieces(
  open: Downloading,
  hash: Hash,
  options: DownloadOptions,
  onType?: (type: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const announced = new Headers();
  const note = (given: Headers): void => given.forEach((value, key) => announced.set(key, value));
  const leave = linked(options.signal);
  let size = 0;
  try {
    const timeout = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs };
    for await (const { body } of open({ ...timeout, signal: leave.signal, onHeader: note, onTrailer: note })) {
      if (body?.contentType) {
        onType?.(body.contentType);
      }
      if (body && body.data.length > 0) {
        size += body.data.length;
        hash.update(body.data);
        yield body.data;
      }
    }
  } finally {
    leave.abort();
  }
  compare(announced, size, hash.hex());
}

/** A stream of the pieces; cancelling it cancels the call, also while a piece is waited for. */
export function streamOf(
  download: (signal: AbortSignal) => AsyncGenerator<Uint8Array, void, undefined>,
  given: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  let leave: Linked | undefined;
  let begun: AsyncGenerator<Uint8Array, void, undefined> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        leave ??= linked(given);
        begun ??= download(leave.signal);
        try {
          const { done, value } = await begun.next();
          if (!done) {
            controller.enqueue(value);
            return;
          }
        } catch (failure) {
          leave.done();
          throw failure;
        }
        leave.done();
        controller.close();
      },
      async cancel(reason) {
        leave?.abort(reason);
        await begun?.return();
      },
    },
    { highWaterMark: 0 },
  );
}

/** All pieces in one. */
export async function whole(download: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const piece of download) {
    all.push(piece);
    size += piece.length;
  }
  const joined = new Uint8Array(size);
  let at = 0;
  for (const piece of all) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

function compare(announced: Headers, size: number, hash: string): void {
  const length = announced.get(announcedLength);
  if (length !== null && Number(length) !== size) {
    throw new DownloadDamaged(`${size} bytes came, ${length} were announced`);
  }
  const wanted = announced.get(announcedHash);
  if (wanted !== null && wanted !== hash) {
    throw new DownloadDamaged("the bytes that came have another SHA-256");
  }
}
