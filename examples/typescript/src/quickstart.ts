// The whole round: register an account, send, see it arrive, read it, mark it, remove the account.
//
//     npm run build && POSTROOM_TOKEN=$(cat ../../.postroom/token) node dist/quickstart.js
import { randomUUID } from "node:crypto";

import { connect, kindOf, type Postroom } from "postroom";
import type { Account } from "postroom/v1";

import { address, token } from "./settings.js";

const arrivesWithinMs = 30_000;

async function send(client: Postroom, account: Account, subject: string): Promise<void> {
  const composed = { to: [{ address: account.email }], subject, text: "Sent by examples/typescript." };
  const { submission } = await client.submissions.submitMessage({
    parent: account.name,
    submission: { content: { case: "composed", value: composed } },
    requestId: randomUUID(),
  });
  console.log("accepted:", submission?.name);
}

async function arrival(client: Postroom, account: Account, subject: string): Promise<string> {
  const signal = AbortSignal.timeout(arrivesWithinMs);
  for await (const change of client.watch(account.name, { start: "EARLIEST", signal })) {
    console.log("change:", kindOf(change));
    if (change.fact.case === "messageAdded" && change.fact.value.message?.subject === subject) {
      console.log("the feed goes on from here, also tomorrow:", `${change.cursor.slice(0, 16)}…`);
      return change.fact.value.message.name;
    }
  }
  throw new Error("the feed ended");
}

const client = connect(address, token);
const id = `quickstart-${randomUUID().slice(0, 8)}`;
const { account } = await client.accounts.createAccount({
  accountId: id,
  account: { email: `${id}@sandbox.test`, backend: { case: "sandbox", value: {} } },
});
if (!account) {
  throw new Error("no account");
}
console.log("registered:", account.name);
try {
  const subject = `Hello ${id}`;
  await send(client, account, subject);
  const name = await arrival(client, account, subject);
  const { message } = await client.messages.getMessage({ name });
  console.log("text:", message?.text.trim());
  await client.messages.modifyMessages({ parent: account.name, names: [name], addFlags: ["$seen"] });
  console.log("raw message:", (await client.download(name)).length, "bytes");
} finally {
  await client.accounts.deleteAccount({ name: account.name });
  console.log("removed:", account.name);
  client.close();
}
