// The other ways to a server: a socket in the file system, and TLS with an authority and a certificate of one's own.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import type { TLSSocket } from "node:tls";

import { connectNodeAdapter } from "@connectrpc/connect-node";

import { AccountService } from "../src/gen/v1.js";
import { connect, PostroomError, type Postroom } from "../src/index.js";

const folder = mkdtempSync(join(tmpdir(), "postroom-"));
const certificates = process.env["POSTROOM_TEST_CERTIFICATES"]; // a folder with ca.pem, cert.pem and key.pem for localhost
after(() => rmSync(folder, { recursive: true }));

const handler = connectNodeAdapter({
  routes: (router) => router.rpc(AccountService.method.getAccount, ({ name }) => ({ account: { name } })),
});

async function calling(client: Postroom): Promise<string | undefined> {
  try {
    return (await client.accounts.getAccount({ name: "accounts/ada" }, { timeoutMs: 2_000 })).account?.name;
  } finally {
    client.close();
  }
}

async function serving(server: Http2Server | Http2SecureServer, act: () => Promise<void>, path?: string): Promise<void> {
  await new Promise<void>((resolve) => (path === undefined ? server.listen(0, "127.0.0.1", resolve) : server.listen(path, resolve)));
  try {
    await act();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test("a socket in the file system is a way to a server", async () => {
  const path = join(folder, "postroom.sock");
  await serving(createServer(handler), async () => assert.equal(await calling(connect(`unix://${path}`, "secret")), "accounts/ada"), path);
});

test("TLS trusts the authority that is given, shows the certificate that is given, and refuses others", { skip: !certificates }, async () => {
  const pem = (name: string): Buffer => readFileSync(join(certificates ?? "", name));
  const [ca, cert, key] = [pem("ca.pem"), pem("cert.pem"), pem("key.pem")];
  const server = createSecureServer({ ca, cert, key, requestCert: true, rejectUnauthorized: false }, handler);
  const shown: boolean[] = [];
  server.on("secureConnection", (socket: TLSSocket) => shown.push(socket.authorized));
  await serving(server, async () => {
    const address = `localhost:${(server.address() as AddressInfo).port}`;
    assert.equal(await calling(connect(address, "secret", { tls: { ca } })), "accounts/ada");
    assert.equal(await calling(connect(address, "secret", { tls: { ca, cert, key } })), "accounts/ada");
    assert.deepEqual(shown, [false, true]);
    await assert.rejects(calling(connect(`https://${address}`, "secret")), (error) => error instanceof PostroomError && error.code === "UNAVAILABLE");
  });
});
