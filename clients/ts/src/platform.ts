/**
 * What differs between Node and browsers, behind one interface.
 *
 * @module
 */
import type { Transport } from "@connectrpc/connect";

import type { Submission } from "./gen/postroom/v1/submission_pb.js";

/** The largest message of an answer, in bytes. */
export const maxMessageBytes = 40 * 1024 * 1024;

/** A SHA-256 that takes its input in pieces. */
export interface Hash {
  /** Takes the next piece. */
  update(piece: Uint8Array): unknown;
  /** The hash in hexadecimal; afterwards the object is used up. */
  hex(): string;
}

/** Bytes to be sent. A stream is read once. */
export type Source = Blob | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Options of an upload. */
export interface UploadOptions {
  /** An id of the request, best a UUID: the same id with the same bytes gives the same submission. */
  readonly requestId?: string;
  /** When to send; at once if absent. */
  readonly sendTime?: Date;
  /** Ends the upload. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the upload is given up; ten minutes by default, 0 for never. */
  readonly timeoutMs?: number;
}

/** Certificates and keys, as `tls.createSecureContext` of Node takes them (PEM). */
export interface TlsOptions {
  /** Authorities beside which no other is trusted. */
  readonly ca?: string | Uint8Array;
  /** The client's certificate chain. */
  readonly cert?: string | Uint8Array;
  /** The client's private key. */
  readonly key?: string | Uint8Array;
  /** The name that the server's certificate is for, if it is not the address's host. */
  readonly servername?: string;
}

/** Options of `connect`. */
export interface ConnectOptions {
  /**
   * For TLS with other roots or a client certificate; Node only, browsers use their own. An address that begins with `http://` or
   * `unix:` stays plain.
   */
  readonly tls?: TlsOptions;
}

/** What a client stands on. */
export interface Platform {
  /** Where calls go. */
  readonly transport: Transport;
  /** A new hash. */
  hash(): Hash;
  /** Hands a raw message over for sending. */
  upload(transport: Transport, parent: string, source: Source, options: UploadOptions): Promise<Submission>;
  /**
   * Told that a stream went silent that was opened at this time, on the clock of `now`: later calls use another connection
   * than it did, those under way keep theirs.
   */
  renew(openedAt: number): void;
  /** Ends every call and connection. */
  close(): void;
}
