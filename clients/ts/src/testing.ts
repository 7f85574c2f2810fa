/**
 * A real Postroom for your own tests: started in a folder of its own on a free port, gone with the test. Node only.
 *
 * ```ts
 * import { after, before, test } from "node:test";
 * import { connect } from "postroom";
 * import { sandboxAccount, startPostroom } from "postroom/testing";
 *
 * const server = await startPostroom();
 * after(() => server.stop());
 *
 * test("my handler", async () => {
 *   const client = connect(server.address, server.token);
 *   const account = await sandboxAccount(client);
 * });
 * ```
 *
 * It refuses to be a fake: what answers is the server that runs in production, with sandbox accounts for mailboxes, so the
 * command `postroom up` has to be there (`pip install postroom-server`, or POSTROOM_COMMAND).
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Postroom } from "./client.js";
import { PostroomError } from "./errors.js";
import type { Account } from "./gen/postroom/v1/account_pb.js";
import { now, pause } from "./pauses.js";

const startSeconds = 60;
const stopSeconds = 15;
const probeMs = 2_000;
const lookSeconds = 0.05;
const logCharacters = 4_000;

/** Options of `startPostroom`. */
export interface StartOptions {
  /**
   * The command, with its first arguments; by default what POSTROOM_COMMAND says, split at spaces, else `postroom`.
   */
  readonly command?: readonly string[];
  /** Further arguments of `postroom up`, such as `--cors-origin`. */
  readonly options?: readonly string[];
}

/** A running Postroom. */
export interface PostroomServer {
  /** For `connect`, such as `127.0.0.1:40001`. */
  readonly address: string;
  /** Where the gateway listens, such as `http://127.0.0.1:40001`. */
  readonly url: string;
  /** The administrator's token. */
  readonly token: string;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts `postroom up --dev` in a folder of its own on a free port, and returns once it answers.
 *
 * @throws Error when it cannot be started or is not ready within a minute; the text holds the end of its output
 */
export async function startPostroom(given: StartOptions = {}): Promise<PostroomServer> {
  const folder = await mkdtemp(join(tmpdir(), "postroom-test-"));
  let server: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    await ended(server);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    server = started(folder, given);
    await once(server, "spawn");
    return { ...(await ready(server, folder)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Registers an account at the sandbox, the server's own provider, and returns it once its mailboxes are there.
 *
 * Mail that is sent to its address arrives in its inbox, from any account of the same server.
 *
 * @param accountId - chosen by the caller; made up by default
 */
export async function sandboxAccount(client: Postroom, accountId = `sandbox-${randomUUID().slice(0, 13)}`): Promise<Account> {
  const wanted = { email: `${accountId}@sandbox.test`, backend: { case: "sandbox", value: {} } } as const;
  const name = `accounts/${accountId}`;
  await client.accounts.createAccount({ accountId, account: wanted });
  await client.mailboxes.listMailboxes({ parent: name });
  const { account } = await client.accounts.getAccount({ name });
  if (!account) {
    throw new PostroomError("the answer holds no account", { code: "INTERNAL" });
  }
  return account;
}

function started(folder: string, { command, options = [] }: StartOptions): ChildProcess {
  const [program = "postroom", ...first] = command ?? (process.env["POSTROOM_COMMAND"] || "postroom").split(" ");
  const log = openSync(join(folder, "up.log"), "w");
  try {
    const words = [...first, "up", "--dev", "--data", folder, "--port", "0", ...options];
    return spawn(program, words, { stdio: ["ignore", log, log], detached: true });
  } finally {
    closeSync(log);
  }
}

async function ready(server: ChildProcess, folder: string): Promise<Omit<PostroomServer, "stop">> {
  const end = now() + startSeconds;
  for (;;) {
    const found = await placesOf(folder);
    if (found) {
      return found;
    }
    if (server.exitCode !== null || server.signalCode !== null || now() >= end) {
      const shown = await readFile(join(folder, "up.log"), "utf8");
      throw new Error(`postroom up was not ready (exit code ${server.exitCode}):\n${shown.slice(-logCharacters)}`);
    }
    await pause(lookSeconds);
  }
}

async function placesOf(folder: string): Promise<Omit<PostroomServer, "stop"> | undefined> {
  try {
    const up = JSON.parse(await readFile(join(folder, "up.json"), "utf8")) as { gateway: { url: string } };
    const { url } = up.gateway;
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(probeMs) });
    const token = (await readFile(join(folder, "token"), "utf8")).trim();
    return answer.ok ? { url, address: new URL(url).host, token } : undefined;
  } catch {
    return undefined;
  }
}

async function ended(server: ChildProcess | undefined): Promise<void> {
  if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) {
    return;
  }
  const exit = once(server, "exit");
  server.kill("SIGTERM");
  const timer = setTimeout(() => process.kill(-(server.pid as number), "SIGKILL"), stopSeconds * 1000);
  await exit;
  clearTimeout(timer);
}
