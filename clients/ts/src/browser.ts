/**
 * Client of Postroom, for browsers: gRPC-Web by fetch, and HTTP for uploads.
 *
 * It has what the entry for Node has, and the same types.
 *
 * @module
 */
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

import { checked, placeOf } from "./address.js";
import { Postroom } from "./client.js";
import type { ConnectOptions, Hash, Platform } from "./platform.js";
import { uploadByFetch } from "./uploads.js";

export * from "./public.js";

/**
 * A client of the server at `address`.
 *
 * @param address - `host:port`, `http://host:port` or `https://host:port`. Without a scheme, loopback is plain and everything
 *   else is TLS; without a port it is 80 or, by TLS, 443.
 * @param token - the bearer token
 * @throws TypeError when the address is none of these, or no header can carry the token
 */
export function connect(address: string, token: string, options: ConnectOptions = {}): Postroom {
  const { url, path } = placeOf(address);
  if (path !== undefined || options.tls) {
    throw new TypeError("a browser knows no sockets and chooses its certificates itself");
  }
  const platform: Platform = {
    transport: createGrpcWebTransport({ baseUrl: url }),
    hash: newHash,
    upload: (_, parent, source, given) => uploadByFetch(url, token, parent, source, given),
    renew: () => undefined,
    close: () => undefined,
  };
  return new Postroom(platform, checked(token));
}

function newHash(): Hash {
  const hash = sha256.create();
  return { update: (piece) => hash.update(piece), hex: () => bytesToHex(hash.digest()) };
}
