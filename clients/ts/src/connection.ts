/**
 * The one HTTP/2 connection of a client in Node, watched by pings, and exchanged when it went silent.
 *
 * @module
 */
import { connect as connectSocket } from "node:net";
import type { ClientHttp2Stream, ClientSessionRequestOptions, OutgoingHttpHeaders, SecureClientSessionOptions } from "node:http2";

import { Http2SessionManager } from "@connectrpc/connect-node";

import type { Place } from "./address.js";
import { now } from "./pauses.js";
import type { TlsOptions } from "./platform.js";

/** After this long without a byte on an open stream the connection is asked whether it lives. */
const pingIntervalMs = 30_000;
/** Without an answer within this time it counts as dead. */
const pingTimeoutMs = 10_000;
/**
 * Bytes that may be on their way for one stream: all that is read ahead of a watch. A stalled watch holds up no other call,
 * because Node returns the window of the connection as soon as bytes arrive.
 */
const streamWindowBytes = 256 * 1024;

/** What the transport wants of a session manager. */
export class Connection {
  /** Scheme, host and port. */
  readonly authority: string;
  readonly #options: SecureClientSessionOptions;
  readonly #left = new Set<Http2SessionManager>();
  #manager: Http2SessionManager;
  #madeAt = 0;

  constructor(place: Place, tls: TlsOptions | undefined) {
    const { path } = place;
    this.authority = place.url;
    this.#options = {
      ...tlsOf(tls),
      settings: { initialWindowSize: streamWindowBytes, enablePush: false },
      ...(path !== undefined && { createConnection: () => connectSocket({ path }) }),
    };
    this.#manager = this.#made();
  }

  /** Opens a stream. */
  request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Omit<ClientSessionRequestOptions, "signal">,
  ): Promise<ClientHttp2Stream> {
    return this.#manager.request(method, path, headers, options);
  }

  /** Told of every byte that came. */
  notifyResponseByteRead(stream: ClientHttp2Stream): void {
    for (const manager of [this.#manager, ...this.#left]) {
      manager.notifyResponseByteRead(stream);
    }
  }

  /**
   * Later streams use another connection than those that were opened at this time; that one is kept for the streams that it
   * has. Many streams on one connection go silent together, and it is exchanged once.
   */
  renew(openedAt: number): void {
    if (this.#madeAt > openedAt) {
      return;
    }
    for (const manager of [this.#manager, ...this.#left]) {
      const idle = manager.state() !== "open";
      if (idle) {
        manager.abort();
        this.#left.delete(manager);
      } else {
        this.#left.add(manager);
      }
    }
    this.#manager = this.#made();
  }

  /** Ends the connection and its streams. */
  close(): void {
    for (const manager of [this.#manager, ...this.#left]) {
      manager.abort();
    }
    this.#left.clear();
  }

  #made(): Http2SessionManager {
    this.#madeAt = now();
    return new Http2SessionManager(this.authority, { pingIntervalMs, pingTimeoutMs }, this.#options);
  }
}

function tlsOf(tls: TlsOptions | undefined): SecureClientSessionOptions {
  const bytes = (given: string | Uint8Array): string | Buffer => (typeof given === "string" ? given : Buffer.from(given));
  return {
    ...(tls?.ca !== undefined && { ca: bytes(tls.ca) }),
    ...(tls?.cert !== undefined && { cert: bytes(tls.cert) }),
    ...(tls?.key !== undefined && { key: bytes(tls.key) }),
    ...(tls?.servername !== undefined && { servername: tls.servername }),
  };
}
