// Run in a project that has nothing but the packed package: the client, the contract and the help for tests, by their public names.
import { createRequire } from "node:module";

import { connect, isReason, kindOf, PostroomError, type Postroom, type Watch } from "postroom";
import { sandboxAccount } from "postroom/testing";
import { Account_State, type Account } from "postroom/v1";

const client: Postroom = connect(process.env["POSTROOM_ADDRESS"] ?? "", process.env["POSTROOM_TOKEN"] ?? "");
const account: Account = await sandboxAccount(client);
console.log("state:", Account_State[account.state]);
const watch: Watch = client.watch(account.name, { start: "EARLIEST" });
for await (const change of watch) {
  console.log("change:", kindOf(change));
  break;
}
for await (const mailbox of client.pages(client.accounts.listAccounts, { email: account.email })) {
  const name: string = mailbox.name;
  console.log("listed:", name === account.name);
}
try {
  await client.accounts.getAccount({ name: "accounts/nobody" });
} catch (error) {
  console.log("refused:", isReason(error, "ACCOUNT_NOT_FOUND") && error.metadata["account"]);
}
const required = createRequire(import.meta.url)("postroom") as { PostroomError: unknown };
console.log("the same by require:", required.PostroomError === PostroomError);
client.close();
