// Every message that arrives becomes one row, exactly once, however often this program or the server is killed: the row and
// the cursor behind its change are written in one transaction.
//
//     npm run build && POSTROOM_TOKEN=$(cat ../../.postroom/token) node dist/watch_sqlite.js mail.db accounts/ada
import { rmSync } from "node:fs";

import sqlite from "node-sqlite3-wasm";
import { connect, FeedReset } from "postroom";
import type { Change } from "postroom/v1";

import { address, token } from "./settings.js";

const [file = "mail.db", parent = "accounts/-"] = process.argv.slice(2);

function opened(path: string): sqlite.Database {
  // This SQLite locks by a folder, which stays when the program is killed. One run at a time has the file, so it is ours.
  rmSync(`${path}.lock`, { recursive: true, force: true });
  const database = new sqlite.Database(path);
  database.exec("CREATE TABLE IF NOT EXISTS arrivals (message TEXT NOT NULL, subject TEXT NOT NULL)");
  database.exec("CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), cursor TEXT NOT NULL)");
  return database;
}

function inOneTransaction(database: sqlite.Database, act: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    act();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function keep(database: sqlite.Database, cursor: string): void {
  database.run("INSERT INTO position VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET cursor = excluded.cursor", [cursor]);
}

function take(database: sqlite.Database, change: Change): void {
  inOneTransaction(database, () => {
    if (change.fact.case === "messageAdded" && change.fact.value.message) {
      const { name, subject } = change.fact.value.message;
      database.run("INSERT INTO arrivals VALUES (?, ?)", [name, subject]);
      console.log("kept:", subject);
    }
    keep(database, change.cursor);
  });
}

const database = opened(file);
const client = connect(address, token);
const leave = new AbortController();
process.once("SIGTERM", () => leave.abort());
process.once("SIGINT", () => leave.abort());

const cursor = (database.get("SELECT cursor FROM position")?.["cursor"] as string | undefined) ?? "";
const watch = client.watch(parent, { cursor, start: "EARLIEST", signal: leave.signal });
console.log(cursor ? "goes on" : "begins");
while (watch.state !== "closed") {
  try {
    for await (const change of watch) {
      take(database, change);
    }
  } catch (error) {
    if (error instanceof FeedReset) {
      console.log(`list ${error.scope} again: ${error.why}`);
      inOneTransaction(database, () => keep(database, error.cursor));
    } else if (!leave.signal.aborted) {
      throw error;
    }
  }
}
client.close();
database.close();
