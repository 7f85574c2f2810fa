// What needs no server: addresses, kinds, repetitions, and that a closed client leaves nothing behind.
import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { checked, placeOf } from "../src/address.js";
import { callRules } from "../src/calls_table.js";
import { Change_Kind, ChangeSchema } from "../src/gen/v1.js";
import { kindOf } from "../src/index.js";
import { maxAccounts, Repetitions } from "../src/repetitions.js";
import { services } from "../src/services.js";
import { linked, onAbort } from "../src/signals.js";
import { FakeServer } from "./fakes/server.js";
import { eventually } from "./fakes/eventually.js";

test("an address without a scheme is plain on loopback and TLS everywhere else", () => {
  assert.deepEqual(placeOf("127.0.0.1:8080"), { url: "http://127.0.0.1:8080" });
  assert.deepEqual(placeOf("localhost:8080"), { url: "http://localhost:8080" });
  assert.deepEqual(placeOf("[::1]:8080"), { url: "http://[::1]:8080" });
  assert.deepEqual(placeOf("mail.example:8080"), { url: "https://mail.example:8080" });
  assert.deepEqual(placeOf("localhost:8080", true), { url: "https://localhost:8080" });
  assert.deepEqual(placeOf("http://mail.example:80/"), { url: "http://mail.example" });
  assert.deepEqual(placeOf("https://mail.example"), { url: "https://mail.example" });
  assert.deepEqual(placeOf("unix:///run/postroom.sock"), { url: "http://localhost", path: "/run/postroom.sock" });
  assert.deepEqual(placeOf("127.9.9.9:8080"), { url: "http://127.9.9.9:8080" });
  assert.deepEqual(placeOf("localhost"), { url: "http://localhost" });
  assert.deepEqual(placeOf("127.0.0.1:443"), { url: "http://127.0.0.1:443" });
  assert.deepEqual(placeOf("HTTPS://mail.example/"), { url: "https://mail.example" });
  const wrong = ["", "ftp://mail.example", "https://", "https://mail.example/mail", "mail.example:port", "mail.example:70000", "https://ann:secret@mail.example"];
  for (const address of wrong) {
    assert.throws(() => placeOf(address), (error) => error instanceof TypeError && !error.message.includes("secret"), address);
  }
  assert.deepEqual(placeOf("unix:/run/postroom.sock"), { url: "http://localhost", path: "/run/postroom.sock" });
});

test("a token that no header carries is refused and not shown", () => {
  assert.equal(checked("pr_abc.DEF-123=="), "pr_abc.DEF-123==");
  for (const token of ["secret-canary\n", "secret\r\ncanary", "secret-c\u00e4n\u00e4ry"]) {
    assert.throws(() => checked(token), (error) => error instanceof TypeError && !error.message.includes("secret"));
  }
});

test("every kind of change has its name, and the contract's every method a service and a rule", () => {
  const facts = ChangeSchema.oneofs.find(({ name }) => name === "fact")?.fields ?? [];
  const names = facts.map((field) => kindOf(create(ChangeSchema, { fact: { case: field.localName, value: {} } as never })));
  assert.deepEqual(names.sort(), Object.keys(Change_Kind).filter((name) => Number.isNaN(Number(name)) && name !== "KIND_UNSPECIFIED").sort());
  assert.equal(kindOf(create(ChangeSchema, {})), "UNKNOWN");
  const paths = Object.values(services).flatMap((service) => service.methods.map(({ name }) => `/${service.typeName}/${name}`));
  assert.deepEqual(paths.sort(), Object.keys(callRules).sort());
});

test("the memory of repetitions is bounded", () => {
  const seen = new Repetitions();
  const change = (account: string, sequence: bigint) => create(ChangeSchema, { account, sequence });
  for (let number = 0; number <= maxAccounts; number += 1) {
    seen.add(change(`accounts/${number}`, 5n));
  }
  assert.equal(seen.has(change("accounts/0", 5n)), false);
  assert.equal(seen.has(change("accounts/1", 5n)), true);
  assert.equal(seen.has(change("accounts/1", 6n)), false);
  seen.clear();
  assert.equal(seen.has(change("accounts/1", 5n)), false);
});

test("a signal is listened to once, however many it ends, and let go of", () => {
  const source = new AbortController();
  const links = Array.from({ length: 100 }, () => linked(source.signal, undefined));
  const ended: string[] = [];
  onAbort(source.signal, () => ended.push("all"));
  links[0]?.done();
  source.abort(new Error("enough"));
  assert.deepEqual(links.map(({ signal }) => signal.aborted), [false, ...Array.from({ length: 99 }, () => true)]);
  assert.deepEqual([ended, (linked(source.signal).signal.reason as Error).message], [["all"], "enough"]);
});

test("a closed client leaves no handle behind", async () => {
  const before = process.getActiveResourcesInfo().length;
  const server = new FakeServer();
  const client = await server.start(() => undefined);
  const loops = Array.from({ length: 20 }, () => client.watch("accounts/a").each(() => undefined).catch(() => undefined));
  await eventually(() => server.connections > 0);
  client.close();
  await Promise.all(loops);
  await server.stop();
  await eventually(() => process.getActiveResourcesInfo().filter((one) => one !== "Immediate").length <= before);
});
