/** Where a server is. */
export interface Place {
  /** Scheme, host and port. */
  readonly url: string;
  /** The socket's path, for `unix:` addresses. */
  readonly path?: string;
}

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Reads `host:port`, `http://host:port`, `https://host:port` or `unix:///path`.
 *
 * Without a scheme, loopback is plain and everything else is TLS, so that a token never travels in clear by accident. Without a
 * port it is 80 or, by TLS, 443.
 *
 * @throws TypeError when it is none of these
 */
export function placeOf(address: string, secure = false): Place {
  if (address.startsWith("unix:")) {
    return { url: "http://localhost", path: address.slice("unix:".length).replace(/^\/\/(?=\/)/, "") };
  }
  const whole = /^https?:\/\//i.test(address);
  const parts = address.includes("://") && !whole ? undefined : parsed(whole ? address : `https://${address}`);
  if (!parts || parts.username !== "" || parts.password !== "" || parts.pathname !== "/" || parts.search !== "" || parts.hash !== "") {
    throw new TypeError("the address is none of host:port, http://host:port, https://host:port and unix:///path");
  }
  if (whole || secure || !loopback.test(parts.hostname)) {
    return { url: parts.origin };
  }
  return { url: new URL(`http://${address}`).origin };
}

/** The token. Throws a TypeError, which does not show it, for one that no header can carry. */
export function checked(token: string): string {
  if (!/^[ -~]*$/.test(token)) {
    throw new TypeError("the token holds a character that no header may hold, such as the end of a line");
  }
  return token;
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
