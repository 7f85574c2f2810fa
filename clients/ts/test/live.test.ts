// The client against a running Postroom, as Node and as browsers use it: run by tests/clients, which sets the environment.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import * as browser from "../src/browser.js";
import * as node from "../src/index.js";
import type { Message } from "../src/gen/v1.js";
import { sandboxAccount } from "../src/testing.js";

const address = process.env["POSTROOM_ADDRESS"] ?? "127.0.0.1:8080";
const token = process.env["POSTROOM_TOKEN"] ?? "";

const clients = { gRPC: node.connect(address, token), "gRPC-Web": browser.connect(address, token) };
after(() => Object.values(clients).forEach((client) => client.close()));

async function arrival(client: node.Postroom, parent: string, subject: string): Promise<Message> {
  const signal = AbortSignal.timeout(20_000);
  for await (const change of client.watch(parent, { start: "EARLIEST", kinds: ["MESSAGE_ADDED"], signal })) {
    if (change.fact.case === "messageAdded" && change.fact.value.message?.subject === subject) {
      return change.fact.value.message;
    }
  }
  throw new Error("the feed ended");
}

for (const [way, client] of Object.entries(clients)) {
  test(`a message sent over ${way} comes back through the watch and is downloaded whole`, { timeout: 30_000 }, async () => {
    const account = await sandboxAccount(client);
    const content = Buffer.alloc(600_000, randomUUID());
    await client.submissions.submitMessage({
      parent: account.name,
      requestId: randomUUID(),
      submission: {
        content: {
          case: "composed",
          value: { to: [{ address: account.email }], subject: "Hello", text: "Hello.", attachments: [{ filename: "a.bin", body: { case: "content", value: content } }] },
        },
      },
    });
    const message = await arrival(client, account.name, "Hello");
    assert.deepEqual(Buffer.from(await client.download(message.attachments[0]?.name ?? "")), content);
    assert.ok((await client.downloadBlob(message.name)).size > content.length);
    await client.accounts.deleteAccount({ name: account.name });
  });

  test(`an upload over ${way} is a submission, once for one request id`, { timeout: 30_000 }, async () => {
    const account = await sandboxAccount(client);
    const head = `From: ${account.email}\r\nTo: ${account.email}\r\nSubject: Parcel\r\n\r\n`;
    const parcel = new Blob([head, `${"0123456789".repeat(7)}\r\n`.repeat(30_000)]);
    const options = { requestId: randomUUID() };
    const first = await client.upload(account.name, parcel, options);
    assert.equal((await client.upload(account.name, parcel.stream(), options)).name, first.name);
    assert.equal(first.requestId, options.requestId);
    const message = await arrival(client, account.name, "Parcel");
    assert.ok((await client.download(message.name)).length > parcel.size - 1_000);
    await assert.rejects(client.upload("accounts/nobody", parcel), (error) => node.isReason(error, "ACCOUNT_NOT_FOUND"));
    await assert.rejects(client.upload(account.name, new Blob(["no header"]), { requestId: "\u00e9" }), (error) => node.isReason(error, "REQUEST_INVALID"));
  });

  test(`a refusal over ${way} is typed`, async () => {
    await assert.rejects(client.accounts.getAccount({ name: "accounts/nobody" }), (error) => {
      assert.ok(node.isReason(error, "ACCOUNT_NOT_FOUND"));
      assert.deepEqual([error.code, error.metadata], ["NOT_FOUND", { account: "accounts/nobody" }]);
      return true;
    });
    const wrong = way === "gRPC" ? node.connect(address, "wrong") : browser.connect(address, "wrong");
    await assert.rejects(wrong.watch().each(() => undefined), (error) => node.isReason(error, "TOKEN_INVALID"));
    wrong.close();
  });

  test(`a listing over ${way} is paged, and a search answers`, { timeout: 30_000 }, async () => {
    const mark = randomUUID().slice(0, 8);
    const accounts = await Promise.all(["a", "b", "c"].map((one) => sandboxAccount(client, `${one}-${mark}`)));
    const names: string[] = [];
    for await (const account of client.pages(client.accounts.listAccounts, { pageSize: 1, email: accounts[1]?.email ?? "" })) {
      names.push(account.name);
    }
    assert.deepEqual(names, [accounts[1]?.name]);
    const filter = { condition: { subject: "nothing of the kind" } };
    const found = await client.messages.searchMessages({ parent: names[0] ?? "", mailboxes: ["inbox"], filter });
    assert.deepEqual(found.messages, []);
  });
}
