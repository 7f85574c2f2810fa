/** Where a server is. */
export interface Place {
  /** Scheme, host and port. */
  readonly url: string;
  /** The socket's path, for `unix:` addresses. */
  readonly path?: string;
}

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * Reads `host:port`, `http://host:port`, `https://host:port` or `unix:///path`.
 *
 * Without a scheme, loopback is plain and everything else is TLS, so that a token never travels in clear by accident.
 */
export function placeOf(address: string, secure = false): Place {
  if (address.startsWith("unix:")) {
    return { url: "http://localhost", path: address.slice("unix:".length).replace(/^\/\/(?=\/)/, "") };
  }
  if (/^https?:\/\//.test(address)) {
    return { url: new URL(address).origin };
  }
  const host = address.slice(0, address.lastIndexOf(":"));
  return { url: new URL(`${secure || !loopback.has(host) ? "https" : "http"}://${address}`).origin };
}
