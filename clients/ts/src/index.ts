/**
 * Client of Postroom, for Node: gRPC over one HTTP/2 connection.
 *
 * ```ts
 * import { connect } from "postroom";
 *
 * const client = connect("127.0.0.1:8080", token);
 * for await (const change of client.watch("accounts/ada")) console.log(change.fact.case);
 * ```
 *
 * The messages of the contract are in `postroom/v1`.
 *
 * @module
 */
import { createHash } from "node:crypto";

import { createGrpcTransport } from "@connectrpc/connect-node";

import { checked, placeOf } from "./address.js";
import { Postroom } from "./client.js";
import { Connection } from "./connection.js";
import { maxMessageBytes, type ConnectOptions, type Hash, type Platform } from "./platform.js";
import { uploadInPieces } from "./uploads.js";

export * from "./public.js";

/**
 * A client of the server at `address`; it connects with the first call.
 *
 * @param address - `host:port`, `http://host:port`, `https://host:port` or (in Node) `unix:///path`. Without a scheme, loopback
 *   is plain and everything else is TLS; without a port it is 80 or, by TLS, 443.
 * @param token - the bearer token
 * @throws TypeError when the address is none, or no header can carry the token
 */
export function connect(address: string, token: string, options: ConnectOptions = {}): Postroom {
  const place = placeOf(address, options.tls !== undefined);
  const connection = new Connection(place, options.tls);
  const transport = createGrpcTransport({
    baseUrl: place.url,
    sessionManager: connection,
    readMaxBytes: maxMessageBytes,
    acceptCompression: [],
  });
  const platform: Platform = {
    transport,
    hash: sha256,
    upload: uploadInPieces,
    renew: (openedAt) => connection.renew(openedAt),
    close: () => connection.close(),
  };
  return new Postroom(platform, checked(token));
}

function sha256(): Hash {
  const hash = createHash("sha256");
  return { update: (piece) => hash.update(piece), hex: () => hash.digest("hex") };
}
