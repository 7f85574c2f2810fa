// A server for users' tests: started, used, ended; and told about when it cannot be started.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";

import { Account_State } from "../src/gen/v1.js";
import { connect } from "../src/index.js";
import { sandboxAccount, startPostroom } from "../src/testing.js";

test("a server is started on a free port and is gone after stop", { timeout: 60_000 }, async () => {
  const server = await startPostroom();
  const client = connect(server.address, server.token);
  try {
    const account = await sandboxAccount(client, "ada");
    assert.deepEqual([account.name, account.state], ["accounts/ada", Account_State.CONNECTED]);
  } finally {
    client.close();
    await server.stop();
  }
  await assert.rejects(fetch(server.url));
});

test("a command that is not there, or ends at once, is told", async () => {
  await assert.rejects(startPostroom({ command: ["no-such-postroom"] }), /ENOENT/);
  await assert.rejects(startPostroom({ command: ["sh", "-c", "echo not today; exit 3"] }), /exit code 3[^]*not today/);
  assert.ok(!existsSync("no-such-postroom"));
});
