// The client as a program that a test drives: JSON lines in, JSON lines out, built on the public client only.
import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { createInterface } from "node:readline";

import { createRegistry, fromJson, toJson, type DescMessage, type DescMethod, type JsonValue, type Message } from "@bufbuild/protobuf";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import * as contract from "../src/gen/v1.js";
import { connect, DownloadDamaged, FeedReset, kindOf, PostroomError, WatchEnded, type ChangeKind, type Postroom, type Watch } from "../src/index.js";
import type { Change } from "../src/gen/v1.js";

interface Command {
  id: number;
  do: string;
  client: string;
  address: string;
  token: string;
  of: number;
  method: string;
  request: JsonValue;
  seconds?: number;
  name: string;
  parent: string;
  path: string;
  requestId: string;
  watch: string;
  cursor: string;
  start: "NOW" | "EARLIEST" | "SNAPSHOT";
  kinds: ChangeKind[];
  mailboxes: string[];
  heartbeat: number;
  patience: number;
  pause: number;
  fail_at: number;
  quiet: boolean;
  callers: number;
  count: number;
}

type Answer = Record<string, JsonValue>;
type Unary = (request: Message, options: { signal: AbortSignal; timeoutMs?: number }) => Promise<Message>;

const registry = createRegistry(ErrorInfoSchema, BadRequestSchema, RetryInfoSchema);
const clients = new Map<string, Postroom>();
const watches = new Map<string, { watch: Watch; changes: number }>();
const running = new Map<number, AbortController>();

class HandlerFailed extends Error {}

function say(line: Answer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function clientOf({ client }: Command): Postroom {
  const found = clients.get(client);
  if (!found) {
    throw new Error(`no client ${client}`);
  }
  return found;
}

/** The method of `AccountService.GetAccount`, with its messages. */
function methodOf(command: Command): { call: Unary; input: DescMessage; output: DescMessage } {
  const [serviceName = "", methodName = ""] = command.method.split(".");
  const service = Object.entries(contract).find(([name]) => name === serviceName)?.[1] as { methods: DescMethod[] } | undefined;
  const method = service?.methods.find((one) => one.name === methodName);
  if (!method) {
    throw new Error(`no method ${command.method}`);
  }
  const property = Object.values(clientOf(command)).find((one) => isClientOf(one, method));
  return { call: property?.[method.localName] as Unary, input: method.input, output: method.output };
}

function isClientOf(one: unknown, method: DescMethod): one is Record<string, unknown> {
  return typeof one === "object" && one !== null && method.parent.methods.every(({ localName }) => localName in one);
}

function wordsOf(error: unknown, signal?: AbortSignal): Answer {
  if (signal?.aborted) {
    return { kind: "Cancelled", code: "CANCELLED", reason: "", message: "cancelled" };
  }
  if (!(error instanceof PostroomError)) {
    return { kind: error instanceof Error ? error.constructor.name : "Error", code: "", reason: "", message: String(error) };
  }
  const { told, code, message, violations } = error;
  const rest = error instanceof FeedReset || error instanceof WatchEnded ? { why: error.why, cursor: error.cursor } : {};
  const kind = error instanceof DownloadDamaged ? "DownloadDamaged" : error.name;
  return { kind, code, reason: told, message, violations: violations.map(({ field }) => field), metadata: { ...error.metadata }, ...rest };
}

const acts: Record<string, (command: Command, signal: AbortSignal) => Promise<Answer>> = {
  async connect({ client, address, token }) {
    clients.get(client)?.close();
    clients.set(client, connect(address, token));
    return {};
  },
  async close(command) {
    clientOf(command).close();
    clients.delete(command.client);
    return {};
  },
  async cancel({ of }) {
    running.get(of)?.abort();
    return {};
  },
  async call(command, signal) {
    const { call, input, output } = methodOf(command);
    const timeout = command.seconds === undefined ? {} : { timeoutMs: command.seconds * 1000 };
    const answer = await call(fromJson(input, command.request ?? {}, { registry }), { signal, ...timeout });
    return toJson(output, answer, { registry }) as Answer;
  },
  async pages(command, signal) {
    const { call, input } = methodOf(command);
    const names: string[] = [];
    const method = call as (request: Message) => Promise<Message & { nextPageToken: string }>;
    for await (const row of clientOf(command).pages(method, fromJson(input, command.request ?? {}), { signal })) {
      names.push((row as { name: string }).name);
    }
    return { names };
  },
  async download(command, signal) {
    const hash = createHash("sha256");
    let size = 0;
    for await (const piece of clientOf(command).downloadStream(command.name, { signal }) as unknown as AsyncIterable<Uint8Array>) {
      hash.update(piece);
      size += piece.length;
    }
    return { size, sha256: hash.digest("hex") };
  },
  async upload(command, signal) {
    const source = await openAsBlob(command.path);
    const requestId = command.requestId ? { requestId: command.requestId } : {};
    const submission = await clientOf(command).upload(command.parent, source, { signal, ...requestId });
    return toJson(contract.SubmissionSchema, submission, { registry }) as Answer;
  },
  async watch(command) {
    const watch = clientOf(command).watch(command.parent, {
      cursor: command.cursor ?? "",
      start: command.start ?? "NOW",
      kinds: command.kinds ?? [],
      mailboxes: command.mailboxes ?? [],
      heartbeat: command.heartbeat ?? 25,
      ...(command.patience ? { patience: command.patience } : {}),
      onState: (state) => say({ watch: command.watch, event: "state", state }),
    });
    const entry = { watch, changes: 0 };
    watches.set(command.watch, entry);
    void follow(command, entry);
    return {};
  },
  async look({ watch: name }) {
    const { watch, changes } = watches.get(name) ?? missing(name);
    return { state: watch.state, cursor: watch.cursor, head: watch.headCursor, lag: watch.lagChanges, changes };
  },
  async stop({ watch: name }) {
    const { watch } = watches.get(name) ?? missing(name);
    watch.close();
    return {};
  },
  async stats() {
    return { rssBytes: process.memoryUsage.rss(), tasks: process.getActiveResourcesInfo().length };
  },
  bench,
  async bench_watch(command, signal) {
    const began = performance.now();
    let changes = 0;
    for await (const _ of clientOf(command).watch(command.parent, { start: "EARLIEST", signal })) {
      changes += 1;
      if (changes >= command.count) {
        break;
      }
    }
    return { changes, seconds: (performance.now() - began) / 1000 };
  },
};

async function bench(command: Command, signal: AbortSignal): Promise<Answer> {
  const { call, input } = methodOf(command);
  const request = fromJson(input, command.request ?? {}, { registry });
  const began = performance.now();
  const end = began + (command.seconds ?? 3) * 1000;
  let calls = 0;
  let errors = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      await call(request, { signal }).then(() => (calls += 1), () => (errors += 1));
      signal.throwIfAborted();
    }
  };
  await Promise.all(Array.from({ length: command.callers ?? 1 }, caller));
  return { calls, seconds: (performance.now() - began) / 1000, errors };
}

/** Reads a watch to its end; a loop that its handler or a reset left is entered again. */
async function follow(command: Command, entry: { watch: Watch; changes: number }): Promise<void> {
  let failAt = command.fail_at ?? 0;
  const handle = async (change: Change): Promise<void> => {
    entry.changes += 1;
    if (!command.quiet) {
      tell(command.watch, entry.watch, change);
    }
    if (entry.changes === failAt) {
      failAt = 0;
      throw new HandlerFailed("as asked for");
    }
    if (command.pause) {
      await new Promise((resolve) => setTimeout(resolve, command.pause * 1000));
    }
  };
  while (entry.watch.state !== "closed") {
    try {
      await entry.watch.each(handle);
      return;
    } catch (error) {
      if (error instanceof FeedReset) {
        say({ watch: command.watch, event: "reset", why: error.why, scope: error.scope, cursor: error.cursor });
      } else if (!(error instanceof HandlerFailed)) {
        say({ watch: command.watch, event: "error", error: wordsOf(error) });
        return;
      }
    }
  }
}

function tell(name: string, watch: Watch, change: Change): void {
  const fact = change.fact.value as { message?: { subject?: string } | string } | undefined;
  const subject = typeof fact?.message === "object" ? (fact.message.subject ?? "") : "";
  const { account, cursor } = change;
  const sequence = Number(change.sequence);
  say({ watch: name, event: "change", kind: kindOf(change), account, sequence, subject, cursor, finished: watch.cursor });
}

function missing(name: string): never {
  throw new Error(`no watch ${name}`);
}

async function run(command: Command): Promise<void> {
  const leave = new AbortController();
  running.set(command.id, leave);
  try {
    const act = acts[command.do];
    if (!act) {
      throw new Error(`unknown: ${command.do}`);
    }
    say({ id: command.id, ok: await act(command, leave.signal) });
  } catch (error) {
    say({ id: command.id, error: wordsOf(error, leave.signal) });
  } finally {
    running.delete(command.id);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim()) {
    void run(JSON.parse(line) as Command);
  }
}
for (const { watch } of watches.values()) {
  watch.close();
}
for (const client of clients.values()) {
  client.close();
}
