// The contract through the gateway, from Node: run by tests/clients, which starts a Postroom and sets the environment.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { AccountService } from "../src/gen/postroom/v1/account_service_pb.js";
import { ChangeService, WatchChangesRequest_StartFrom } from "../src/gen/postroom/v1/change_service_pb.js";
import { SubmissionService } from "../src/gen/postroom/v1/submission_service_pb.js";

const baseUrl = process.env["POSTROOM_URL"] ?? "http://127.0.0.1:8080";
const token = process.env["POSTROOM_TOKEN"] ?? "";

const authorize: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${token}`);
  return next(request);
};

const session = new Http2SessionManager(baseUrl);
after(() => session.abort());

const transports: Record<string, Transport> = {
  gRPC: createGrpcTransport({ baseUrl, interceptors: [authorize], sessionManager: session }),
  "gRPC-Web": createGrpcWebTransport({ baseUrl, httpVersion: "1.1", interceptors: [authorize] }),
};

for (const [name, transport] of Object.entries(transports)) {
  test(`a message sent over ${name} comes back through the watch`, { timeout: 30_000 }, async () => {
    const accountId = `ts-${randomUUID()}`;
    const address = `${accountId}@sandbox.test`;
    const account = { email: address, backend: { case: "sandbox" as const, value: {} } };
    await createClient(AccountService, transport).createAccount({ accountId, account });

    const parent = `accounts/${accountId}`;
    const composed = { to: [{ address }], subject: "Hello from TypeScript", text: "Hello." };
    await createClient(SubmissionService, transport).submitMessage({
      parent,
      requestId: randomUUID(),
      submission: { content: { case: "composed", value: composed } },
    });

    const start = { case: "startFrom" as const, value: WatchChangesRequest_StartFrom.EARLIEST };
    const leave = new AbortController();
    try {
      const watch = createClient(ChangeService, transport).watchChanges({ parent, start }, { signal: leave.signal });
      for await (const frame of watch) {
        assert.notEqual(frame.cursor, "");
        if (frame.frame.case === "change" && frame.frame.value.fact.case === "messageAdded") {
          assert.equal(frame.frame.value.fact.value.message?.subject, "Hello from TypeScript");
          return;
        }
      }
    } finally {
      leave.abort();
    }
    assert.fail("the stream ended before the message came");
  });

  test(`an account that is not there is NOT_FOUND over ${name}`, async () => {
    const call = createClient(AccountService, transport).getAccount({ name: "accounts/nobody" });
    await assert.rejects(call, (error) => error instanceof ConnectError && error.code === Code.NotFound);
  });
}
