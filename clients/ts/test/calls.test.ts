// Deadlines, repeats, errors, pages, downloads and uploads, against a server that answers as it is told to.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";

import { Code, type HandlerContext } from "@connectrpc/connect";

import { connect as connectByWeb } from "../src/browser.js";
import { connect, DownloadDamaged, fromStatus, isReason, PostroomError, type Postroom } from "../src/index.js";
import { BadRequestSchema, ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { AccountService, ExportService, MessageService, SubmissionService, type ListAccountsRequest } from "../src/gen/v1.js";
import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { pieceBytes } from "../src/uploads.js";
import { fromRest } from "../src/statuses.js";
import { eventually } from "./fakes/eventually.js";
import { FakeServer, forever, refusal } from "./fakes/server.js";

let server = new FakeServer();
let client: Postroom | undefined;

afterEach(async () => {
  client?.close();
  await server.stop();
  server = new FakeServer();
});

/** A client of a server whose GetAccount follows `answers`, one for each call; the last one again and again. */
async function getting(...answers: ((context: HandlerContext) => unknown)[]): Promise<{ client: Postroom; calls: () => number }> {
  let calls = 0;
  client = await server.start((router) => {
    router.rpc(AccountService.method.getAccount, async ({ name }, context) => {
      calls += 1;
      await (answers[Math.min(calls, answers.length) - 1] as (context: HandlerContext) => unknown)(context);
      return { account: { name } };
    });
  });
  return { client, calls: () => calls };
}

const ok = (): void => undefined;
const refuse = (code: Code, reason: string, metadata = {}, retryAfterMs?: number) => () => {
  throw refusal(code, reason, metadata, retryAfterMs);
};
const away = refuse(Code.Unavailable, "NODE_UNAVAILABLE");
const code = (wanted: string) => (error: unknown) => error instanceof PostroomError && error.code === wanted;

test("a call carries the token and answers the typed resource", async () => {
  const seen: (string | null)[] = [];
  const { client } = await getting((context) => void seen.push(context.requestHeader.get("authorization")));
  const { account } = await client.accounts.getAccount({ name: "accounts/ada" });
  assert.equal(account?.name, "accounts/ada");
  assert.deepEqual(seen, ["Bearer secret"]);
});

test("a refusal is an error with reason, code, metadata, violations and wait", async () => {
  const violations = [{ field: "name", description: "is not a name" }];
  const { client } = await getting(() => {
    const error = refusal(Code.InvalidArgument, "REQUEST_INVALID", { field: "name" }, 250);
    error.details.push({ desc: BadRequestSchema, value: { fieldViolations: violations } });
    throw error;
  });
  await assert.rejects(client.accounts.getAccount({ name: "x" }), (error: unknown) => {
    assert.ok(isReason(error, "REQUEST_INVALID"));
    assert.deepEqual([error.code, error.reason, error.retryAfter, error.transient], ["INVALID_ARGUMENT", "REQUEST_INVALID", 0.25, false]);
    assert.deepEqual([error.metadata, error.violations, error.message], [{ field: "name" }, violations, "refused: REQUEST_INVALID"]);
    return true;
  });
});

test("a reason of a newer server keeps its code and is told as it came", async () => {
  const { client } = await getting(refuse(Code.NotFound, "ACCOUNT_ELSEWHERE"));
  await assert.rejects(client.accounts.getAccount({}), (error: unknown) => {
    assert.ok(isReason(error, "ACCOUNT_ELSEWHERE"));
    assert.deepEqual([error.reason, error.told, error.code], ["", "ACCOUNT_ELSEWHERE", "NOT_FOUND"]);
    return true;
  });
});

test("a read that no node took is made again within its deadline", async () => {
  const { client, calls } = await getting(away, away, ok);
  await client.accounts.getAccount({ name: "accounts/ada" });
  assert.equal(calls(), 3);
});

test("what the provider said is not repeated", async () => {
  for (const reason of ["PROVIDER_UNREACHABLE", "OUTCOME_UNKNOWN"]) {
    const { client, calls } = await getting(refuse(Code.Unavailable, reason));
    await assert.rejects(client.accounts.getAccount({}), (error: unknown) => isReason(error, reason));
    assert.equal(calls(), 1);
    client.close();
    await server.stop();
    server = new FakeServer();
  }
});

test("a wait that the server asks for is kept, and one beyond the deadline is not begun", async () => {
  const slow = refuse(Code.Unavailable, "STORE_UNAVAILABLE", {}, 300);
  const { client, calls } = await getting(slow, ok);
  const began = performance.now();
  await client.accounts.getAccount({});
  assert.ok(performance.now() - began >= 298);
  assert.equal(calls(), 2);
});

test("the caller's deadline ends a call, and repeats stop at it", async () => {
  const { client } = await getting(forever);
  const began = performance.now();
  await assert.rejects(client.accounts.getAccount({}, { timeoutMs: 200 }), (error: unknown) => isReason(error, "DEADLINE_EXCEEDED"));
  assert.ok(performance.now() - began < 1_000);
});

test("a write is made again only if its request has an id", async () => {
  const ids: string[] = [];
  client = await server.start((router) => {
    router.rpc(SubmissionService.method.submitMessage, ({ requestId }) => {
      ids.push(requestId);
      if (ids.length < 3) {
        throw refusal(Code.Unavailable, "NODE_UNAVAILABLE");
      }
      return {};
    });
  });
  await assert.rejects(client.submissions.submitMessage({ parent: "accounts/a" }), code("UNAVAILABLE"));
  await client.submissions.submitMessage({ parent: "accounts/a", requestId: "r" });
  assert.deepEqual(ids, ["", "r", "r"]);
});

test("a call that is aborted ends in the signal's reason, and the server sees it", async () => {
  let cancelled = false;
  const { client, calls } = await getting((context) => {
    context.signal.addEventListener("abort", () => (cancelled = true));
    return forever(context);
  });
  const leave = new AbortController();
  const call = client.accounts.getAccount({}, { signal: leave.signal });
  await eventually(() => calls() === 1);
  leave.abort(new Error("enough"));
  await assert.rejects(call, /enough/);
  await eventually(() => cancelled);
});

test("a connection that breaks during a read costs nothing but time", async () => {
  const { client, calls } = await getting(() => server.cut(), ok);
  await client.accounts.getAccount({});
  assert.equal(calls(), 2);
});

test("nobody listening is UNAVAILABLE without a reason", async () => {
  client = connect("127.0.0.1:1", "secret");
  await assert.rejects(client.accounts.getAccount({}, { timeoutMs: 150 }), (error: unknown) => {
    assert.ok(error instanceof PostroomError);
    assert.deepEqual([error.code, error.reason, error.transient], ["UNAVAILABLE", "", true]);
    return true;
  });
});

test("many calls share one connection, and none is made after close", async () => {
  const { client } = await getting(ok);
  await Promise.all(Array.from({ length: 50 }, () => client.accounts.getAccount({})));
  assert.equal(server.connections, 1);
  client.close();
  await assert.rejects(client.accounts.getAccount({}), code("CANCELLED"));
});

test("a listing is read page by page", async () => {
  const asked: ListAccountsRequest[] = [];
  client = await server.start((router) => {
    router.rpc(AccountService.method.listAccounts, (request) => {
      asked.push(request);
      const page = Number(request.pageToken || "0");
      return { accounts: [{ name: `accounts/${page}` }, { name: `accounts/${page}b` }], nextPageToken: page < 2 ? String(page + 1) : "" };
    });
  });
  const names: string[] = [];
  for await (const account of client.pages(client.accounts.listAccounts, { pageSize: 2, email: "e" })) {
    names.push(account.name);
  }
  assert.deepEqual(names, ["accounts/0", "accounts/0b", "accounts/1", "accounts/1b", "accounts/2", "accounts/2b"]);
  assert.deepEqual(asked.map(({ pageSize, email, pageToken }) => [pageSize, email, pageToken]), [[2, "e", ""], [2, "e", "1"], [2, "e", "2"]]);
});

const content = Buffer.alloc(700_000, "Postroom ");
const sha256 = createHash("sha256").update(content).digest("hex");

/** A client of a server that sends `sent` and announces size and hash of `content`, in headers or trailers. */
async function downloading(sent: Buffer, where: "responseHeader" | "responseTrailer" = "responseHeader"): Promise<Postroom> {
  client = await server.start((router) => {
    router.rpc(MessageService.method.getMessageSource, async function* (_, context) {
      context[where].set("x-content-length", String(content.length));
      context[where].set("x-content-sha256", sha256);
      for (let at = 0; at < sent.length; at += 100_000) {
        yield { body: { contentType: at === 0 ? "message/rfc822" : "", data: sent.subarray(at, at + 100_000) } };
      }
    });
    router.rpc(MessageService.method.downloadAttachment, async function* (_, context) {
      yield { body: { data: sent.subarray(0, 10) } };
      await forever(context);
    });
  });
  return client;
}

for (const where of ["responseHeader", "responseTrailer"] as const) {
  test(`a download is whole when size and hash agree with the ${where}`, async () => {
    const client = await downloading(content, where);
    assert.deepEqual(Buffer.from(await client.download("accounts/a/messages/m")), content);
    const blob = await client.downloadBlob("accounts/a/messages/m");
    assert.deepEqual([blob.size, blob.type], [content.length, "message/rfc822"]);
  });

  test(`a download that is cut or altered is damaged, by the ${where}`, async () => {
    const altered = Buffer.from(content);
    altered[5] = 0;
    for (const sent of [content.subarray(0, 600_000), altered]) {
      const client = await downloading(sent, where);
      await assert.rejects(client.download("accounts/a/messages/m"), DownloadDamaged);
      await assert.rejects(new Response(client.downloadStream("accounts/a/messages/m")).arrayBuffer(), DownloadDamaged);
      client.close();
      await server.stop();
      server = new FakeServer();
    }
  });
}

test("a stream of a download that is cancelled cancels the call, and one that is aborted ends in the reason", async () => {
  const client = await downloading(content);
  const reader = client.downloadStream("accounts/a/messages/m/attachments/1").getReader();
  assert.equal((await reader.read()).value?.length, 10);
  await reader.cancel();
  const leave = new AbortController();
  const stopped = client.download("accounts/a/messages/m/attachments/1", { signal: leave.signal });
  setTimeout(() => leave.abort(new Error("enough")), 50);
  await assert.rejects(stopped, /enough/);
});

test("a stream of a download whose server says nothing is cancelled at once, at the server too", async () => {
  let left = false;
  client = await server.start((router) => {
    router.rpc(MessageService.method.getMessageSource, async function* (_, context) {
      context.signal.addEventListener("abort", () => (left = true));
      yield { body: { data: new Uint8Array(3) } };
      await forever(context);
    });
  });
  const reader = client.downloadStream("accounts/a/messages/m").getReader();
  await reader.read();
  const waiting = reader.read();
  await new Promise((resolve) => setTimeout(resolve, 50)); // until it is asked for
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 2_000).unref());
  await Promise.race([reader.cancel(), late]);
  assert.deepEqual(await waiting, { done: true, value: undefined });
  await eventually(() => left);
});

test("an export is downloaded by its name", async () => {
  client = await server.start((router) => {
    router.rpc(ExportService.method.downloadExport, async function* ({ name }) {
      yield { body: { data: new TextEncoder().encode(name) } };
    });
  });
  assert.equal(new TextDecoder().decode(await client.download("accounts/a/exports/e")), "accounts/a/exports/e");
});

test("an upload has ten minutes, or what it is given", async () => {
  const given: (number | undefined)[] = [];
  client = await server.start((router) => {
    router.rpc(SubmissionService.method.uploadSubmission, async (_, context) => {
      given.push(context.timeoutMs());
      return { submission: { name: "s" } };
    });
  });
  for (const options of [{}, { timeoutMs: 5_000 }, { timeoutMs: 0 }, { timeoutMs: 3e9 }]) {
    await client.upload("accounts/a", content, options);
  }
  assert.ok((given[0] ?? 0) > 590_000 && (given[1] ?? 9_999) <= 5_000, String(given));
  assert.deepEqual(given.slice(2), [undefined, undefined]);
});

test("a request that cannot be written down is refused at once", async () => {
  const { client, calls } = await getting(ok);
  const began = performance.now();
  await assert.rejects(client.accounts.listAccounts({ pageSize: 1.5 }), code("INVALID_ARGUMENT"));
  assert.ok(performance.now() - began < 2_000);
  assert.equal(calls(), 0);
});

test("a deadline that no timer reaches is none", async () => {
  const { client } = await getting(ok);
  assert.equal((await client.accounts.getAccount({ name: "accounts/ada" }, { timeoutMs: 3e9 })).account?.name, "accounts/ada");
});

test("what a proxy says in the server's place is lost or refused, by gRPC-Web and by HTTP", async () => {
  let answers = 0;
  const proxy = createServer((request, response) => {
    answers += 1;
    request.resume();
    response.writeHead(status, { "content-type": type }).end("<html>no</html>");
  });
  let [status, type] = [502, "text/html"];
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const page = connectByWeb(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, "secret");
  const told = async (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => (error instanceof PostroomError ? error.code : error));
  const seen: unknown[] = [];
  for ([status, type] of [[502, "text/html"], [200, "text/html"], [200, "application/grpc-web+proto"], [413, "text/html"], [404, "text/html"]] as const) {
    answers = 0;
    const got = await told(page.accounts.getAccount({ name: "accounts/a" }, { timeoutMs: 300 }));
    seen.push([status, got, answers > 1, await told(page.upload("accounts/a", content))]);
  }
  assert.deepEqual(seen, [
    [502, "UNAVAILABLE", true, "UNAVAILABLE"],
    [200, "UNAVAILABLE", true, "UNAVAILABLE"],
    [200, "UNAVAILABLE", true, "UNAVAILABLE"],
    [413, "UNKNOWN", false, "UNKNOWN"],
    [404, "UNIMPLEMENTED", false, "UNIMPLEMENTED"],
  ]);
  page.close();
  proxy.closeAllConnections();
  proxy.close();
});

test("an upload goes in pieces, whatever it is read from, and a refusal in the middle is an error", async () => {
  const sizes: number[][] = [];
  client = await server.start((router) => {
    router.rpc(SubmissionService.method.uploadSubmission, async (requests) => {
      const hash = createHash("sha256");
      const lengths: number[] = [];
      let first = "";
      for await (const { parent, requestId, content } of requests) {
        first ||= `${parent} ${requestId}`;
        lengths.push(content?.data.length ?? 0);
        hash.update(content?.data ?? "");
        if (parent === "accounts/nobody") {
          throw refusal(Code.NotFound, "ACCOUNT_NOT_FOUND");
        }
      }
      sizes.push(lengths);
      return { submission: { name: `${first} ${hash.digest("hex")}` } };
    });
  });
  const blob = new Blob([content]);
  const pieces = async function* () {
    yield content.subarray(0, 500_000);
    yield content.subarray(500_000);
  };
  for (const source of [content, blob, blob.stream(), pieces()]) {
    const submission = await client.upload("accounts/a", source, { requestId: "r" });
    assert.equal(submission.name, `accounts/a r ${sha256}`);
  }
  assert.ok(sizes.flat().every((size) => size > 0 && size <= pieceBytes));
  assert.equal((await client.upload("accounts/a", new Uint8Array())).name.split(" ")[0], "accounts/a");
  await assert.rejects(client.upload("accounts/nobody", content), (error: unknown) => isReason(error, "ACCOUNT_NOT_FOUND"));
});

test("the status of a batch's result and one over REST become the same error", async () => {
  const info = anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "MESSAGE_NOT_FOUND", domain: "postroom", metadata: { message: "m" } }));
  const one = fromStatus(create(StatusSchema, { code: 5, message: "gone", details: [info] }));
  const rest = fromRest(404, JSON.stringify({
    code: 5, message: "gone", details: [
      { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "MESSAGE_NOT_FOUND", domain: "postroom", metadata: { message: "m" } },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" },
      { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field: "f", description: "d" }] },
    ],
  }));
  for (const error of [one, rest]) {
    assert.deepEqual([error.reason, error.code, error.message, error.metadata], ["MESSAGE_NOT_FOUND", "NOT_FOUND", "gone", { message: "m" }]);
  }
  assert.deepEqual([rest.retryAfter, rest.violations], [1.5, [{ field: "f", description: "d" }]]);
  assert.deepEqual([502, 418, 401, 403, 404, 429].map((status) => fromRest(status, "<html>").code), [
    "UNAVAILABLE", "UNKNOWN", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "UNAVAILABLE",
  ]);
});
