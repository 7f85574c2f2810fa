// The reader's side of the feed, rule by rule, against a server that follows a script.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Code } from "@connectrpc/connect";

import { FeedReset, isReason, kindOf, PostroomError, WatchEnded, type Postroom, type Watch, type WatchOptions } from "../src/index.js";
import { Change_Kind, Reset_Reason, StreamEnd_Reason, type Change } from "../src/gen/v1.js";
import { eventually } from "./fakes/eventually.js";
import { change, checkpoint, FakeServer, forever, refusal, type Frame, type Stream } from "./fakes/server.js";

let server = new FakeServer();
let client: Postroom | undefined;

afterEach(async () => {
  client?.close();
  await server.stop();
  server = new FakeServer();
});

async function watching(streams: readonly Stream[], options: WatchOptions = {}): Promise<Watch> {
  client = await server.start(() => undefined, streams);
  return client.watch("accounts/a", options);
}

const end = (reason: StreamEnd_Reason, retryAfterMs = 0): Frame => ({
  cursor: "",
  frame: { case: "end", value: { reason, ...(retryAfterMs ? { retryAfter: { seconds: 0n, nanos: retryAfterMs * 1e6 } } : {}) } },
});
const reset = (cursor: string): Frame => ({
  cursor,
  frame: { case: "reset", value: { scope: "accounts/a", reason: Reset_Reason.UIDVALIDITY_CHANGED } },
});
const open = (...frames: Frame[]): Stream =>
  async function* (_, context) {
    yield* frames;
    await forever(context);
  };
const broken = (...frames: Frame[]): Stream => () => frames;

async function take(watch: Watch, count: number): Promise<string[]> {
  const subjects: string[] = [];
  for await (const one of watch) {
    subjects.push(subjectOf(one));
    if (subjects.length === count) {
      break;
    }
  }
  return subjects;
}

function subjectOf(one: Change): string {
  return one.fact.case === "messageAdded" ? (one.fact.value.message?.subject ?? "") : "";
}

test("a request says where to begin, what is wanted and how long silence may last", async () => {
  const watch = await watching([open(change(1))], { start: "EARLIEST", kinds: ["MESSAGE_ADDED"], mailboxes: ["inbox"], heartbeat: 7.5 });
  await take(watch, 1);
  const [request] = server.requests;
  assert.equal(request?.parent, "accounts/a");
  assert.deepEqual(request?.start, { case: "startFrom", value: 2 });
  assert.deepEqual(request?.kinds, [Change_Kind.MESSAGE_ADDED]);
  assert.deepEqual(request?.mailboxes, ["inbox"]);
  assert.equal(request?.heartbeatInterval?.seconds, 7n);
  assert.equal(request?.heartbeatInterval?.nanos, 500_000_000);
});

test("it goes on after the last finished change and tells each one once, however streams end", async () => {
  const watch = await watching([
    broken(change(1), change(2)),
    open(change(2), change(3), end(StreamEnd_Reason.DRAINING)),
    () => {
      throw refusal(Code.Unavailable, "STORE_UNAVAILABLE");
    },
    broken(change(4), end(99 as StreamEnd_Reason)),
    open(change(3), change(4), change(5)),
  ]);
  assert.deepEqual(await take(watch, 5), ["m1", "m2", "m3", "m4", "m5"]);
  assert.deepEqual(
    server.requests.map(({ start }) => (start.case === "cursor" ? start.value : start.case)),
    ["startFrom", "c2", "c3", "c3", "c4"],
  );
});

test("the cursor moves when the next change is asked for, and a loop that was left gets its change again", async () => {
  const watch = await watching([open(change(1), change(2)), open(change(2), change(3))]);
  const cursors: string[] = [];
  for await (const one of watch) {
    cursors.push(`${one.cursor} after ${watch.cursor}`);
    if (one.sequence === 2n) {
      break;
    }
  }
  await eventually(() => server.cancelled === 1);
  assert.equal(watch.state, "connecting");
  assert.deepEqual(await take(watch, 2), ["m2", "m3"]);
  assert.deepEqual(cursors, ["c1 after ", "c2 after c1"]);
});

test("a handler that throws ends `each`, and gets the change again", async () => {
  const watch = await watching([open(change(1)), open(change(1))]);
  const seen: string[] = [];
  const handler = (one: Change): void => {
    seen.push(subjectOf(one));
    if (seen.length === 1) {
      throw new Error("not yet");
    }
    watch.close();
  };
  await assert.rejects(watch.each(handler), /not yet/);
  await watch.each(handler);
  assert.deepEqual(seen, ["m1", "m1"]);
});

test("states are told once each, and checkpoints say how far behind it is", async () => {
  const states: string[] = [];
  const stream: Stream = async function* (_, context) {
    yield checkpoint("c0", 3);
    yield change(1);
    yield checkpoint("c1", 0);
    yield checkpoint("c1", 0);
    await forever(context);
  };
  const watch = await watching([stream], { onState: (state) => states.push(state) });
  assert.equal(watch.state, "connecting");
  const loop = watch.each(() => assert.equal(watch.lagChanges, 3));
  await eventually(() => watch.state === "live");
  assert.deepEqual([watch.cursor, watch.headCursor, watch.lagChanges], ["c1", "head", 0]);
  watch.close();
  await loop;
  assert.deepEqual(states, ["catching_up", "live", "closed"]);
});

test("a reset is thrown, leaves no call, and iterating again goes on behind it with forgotten sequences", async () => {
  const watch = await watching([open(change(5), reset("r1")), open(change(1), change(2))]);
  await assert.rejects(take(watch, 2), (error: unknown) => {
    assert.ok(error instanceof FeedReset);
    assert.deepEqual([error.scope, error.why, error.cursor], ["accounts/a", "UIDVALIDITY_CHANGED", "r1"]);
    return true;
  });
  assert.equal(watch.state, "reset");
  await eventually(() => server.cancelled === 1);
  assert.deepEqual(await take(watch, 2), ["m1", "m2"]);
  assert.equal(server.requests[1]?.start.value, "r1");
});

for (const why of ["REPLACED", "TOKEN_REVOKED", "ACCOUNT_REMOVED", "CONSUMER_CHANGED"] as const) {
  test(`${why} ends a watch for good`, async () => {
    const watch = await watching([open(change(1), { ...end(StreamEnd_Reason[why]), cursor: "c9" })]);
    await assert.rejects(take(watch, 2), (error: unknown) => error instanceof WatchEnded && error.why === why && error.cursor === "c9");
    assert.equal(watch.state, "closed");
    assert.deepEqual(await take(watch, 1), []);
    assert.equal(server.requests.length, 1);
  });
}

for (const [code, reason] of [
  [Code.OutOfRange, "CURSOR_EXPIRED"],
  [Code.NotFound, "ACCOUNT_NOT_FOUND"],
  [Code.Unauthenticated, "TOKEN_INVALID"],
  [Code.InvalidArgument, "CURSOR_FOREIGN"],
] as const) {
  test(`${reason} is thrown at once`, async () => {
    const watch = await watching([
      () => {
        throw refusal(code, reason);
      },
    ]);
    await assert.rejects(take(watch, 1), (error: unknown) => isReason(error, reason));
    assert.equal(server.requests.length, 1);
  });
}

test("a stream that says nothing for two and a half heartbeats is left for another connection", async () => {
  const watch = await watching([open(change(1)), open(change(2))], { heartbeat: 0.08 });
  assert.deepEqual(await take(watch, 2), ["m1", "m2"]);
  await eventually(() => server.cancelled >= 1);
  assert.equal(server.connections, 2);
});

test("many watches of a connection that went silent exchange it once", async () => {
  client = await server.start(() => undefined, [
    async function* (_, context) {
      yield change(1);
      if (server.connections > 1) {
        yield change(2);
      }
      await forever(context);
    },
  ]);
  const watches = Array.from({ length: 20 }, () => (client as Postroom).watch("accounts/a", { heartbeat: 0.2 }));
  assert.deepEqual(new Set((await Promise.all(watches.map((watch) => take(watch, 2)))).flat()), new Set(["m1", "m2"]));
  assert.ok(server.connections <= 3, String(server.connections));
});

test("the time of the handler is not silence", async () => {
  const stream: Stream = async function* (_, context) {
    yield change(1);
    yield change(2);
    await forever(context);
  };
  const watch = await watching([stream], { heartbeat: 0.05 });
  for await (const one of watch) {
    await eventually(async () => new Promise((resolve) => setTimeout(resolve, 300, true)));
    if (one.sequence === 2n) {
      break;
    }
  }
  assert.equal(server.requests.length, 1);
});

test("what the contract does not know and a heartbeat of no time are refused at once", async () => {
  const watch = (options: object): unknown => (client as Postroom).watch("accounts/a", options);
  await watching([open()]);
  assert.throws(() => watch({ kinds: ["MESSAGE_LOST"] }), TypeError);
  assert.throws(() => watch({ start: "LATER" }), TypeError);
  assert.throws(() => watch({ heartbeat: 0 }), RangeError);
});

test("patience is not stretched by a server that asks for more, nor ends the connection", async () => {
  const refuse: Stream = () => {
    throw refusal(Code.Unavailable, "NODE_UNAVAILABLE", {}, 2_000);
  };
  const watch = await watching([refuse], { patience: 0.3 });
  const began = performance.now();
  await assert.rejects(take(watch, 1), (error: unknown) => isReason(error, "NODE_UNAVAILABLE"));
  assert.ok(performance.now() - began < 1_500);
  await assert.rejects(take((client as Postroom).watch("accounts/a", { patience: 0.2 }), 1));
  assert.equal(server.connections, 1);
});

test("pauses grow also when a server asks for almost none", async () => {
  const watch = await watching([() => [end(StreamEnd_Reason.DRAINING, 1)]]);
  const loop = take(watch, 1);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  watch.close();
  await loop;
  assert.ok(server.requests.length < 12, String(server.requests.length));
});

test("patience ends in the last error", async () => {
  const watch = await watching(
    [
      () => {
        throw refusal(Code.Unavailable, "NODE_UNAVAILABLE");
      },
    ],
    { patience: 0.4 },
  );
  await assert.rejects(take(watch, 1), (error: unknown) => isReason(error, "NODE_UNAVAILABLE"));
  assert.ok(server.requests.length >= 3, String(server.requests.length));
  assert.equal(watch.state, "closed");
});

test("pauses grow with jitter, and a wait that the server asks for is kept", async () => {
  const times: number[] = [];
  const refuse: Stream = () => {
    times.push(performance.now());
    throw refusal(Code.Unavailable, "NODE_UNAVAILABLE");
  };
  const wait: Stream = () => {
    times.push(performance.now());
    return [end(StreamEnd_Reason.STORE_UNAVAILABLE, 600)];
  };
  const watch = await watching([refuse, refuse, refuse, wait, open(change(1))]);
  await take(watch, 1);
  const gaps = times.slice(1).map((time, index) => time - (times[index] as number));
  const waited = performance.now() - (times[3] as number);
  assert.ok(gaps.every((gap, index) => gap >= 25 * 2 ** index - 2 && gap < 50 * 2 ** index + 150), String(gaps));
  assert.ok(waited >= 298 && waited < 900, String(waited));
});

test("kinds and frames of a newer server are passed on or over", async () => {
  const unknown: Frame = { cursor: "c2", frame: { case: "change", value: { cursor: "c2", account: "accounts/a", sequence: 2n } } };
  const watch = await watching([open({ cursor: "c1" }, { cursor: "" }, unknown)]);
  for await (const one of watch) {
    assert.equal(kindOf(one), "UNKNOWN");
    assert.equal(watch.cursor, "c1");
    break;
  }
});

test("a removed account may come again, and what a snapshot holds has no sequence", async () => {
  const removed = change(7, { fact: { case: "accountRemoved", value: {} } });
  const watch = await watching([open(change(0), change(0), change(6), removed, change(1))]);
  assert.deepEqual(await take(watch, 5), ["m0", "m0", "m6", "", "m1"]);
});

test("a signal ends the loop with its reason, close ends it quietly, and neither leaves a call", async () => {
  const leave = new AbortController();
  const watch = await watching([open(checkpoint("c0"))], { signal: leave.signal });
  const loop = take(watch, 1);
  await eventually(() => watch.state === "live");
  leave.abort(new Error("enough"));
  await assert.rejects(loop, /enough/);
  const other = (client as Postroom).watch("accounts/a");
  const quiet = take(other, 1);
  await eventually(() => other.state === "live");
  other.close();
  assert.deepEqual(await quiet, []);
  await eventually(() => server.cancelled === 2);
});

test("a watch that waits for its next stream is closed at once with its client", async () => {
  const watch = await watching([
    () => {
      throw refusal(Code.Unavailable, "STORE_UNAVAILABLE", {}, 900);
    },
  ]);
  const loop = take(watch, 1);
  await eventually(() => server.requests.length === 1);
  const began = performance.now();
  (client as Postroom).close();
  assert.deepEqual(await loop, []);
  assert.ok(performance.now() - began < 200);
  await assert.rejects(take((client as Postroom).watch("accounts/a"), 1), (error: unknown) => error instanceof PostroomError && error.code === "CANCELLED");
});

test("one loop at a time reads a watch", async () => {
  const watch = await watching([open(checkpoint("c0"))]);
  const loop = take(watch, 1);
  await eventually(() => watch.state === "live");
  await assert.rejects(take(watch, 1), /another loop/);
  watch.close();
  await loop;
});

test("a watch that is not read holds nothing up and reads nothing ahead of its window", async () => {
  let sent = 0;
  const flood: Stream = async function* () {
    for (let sequence = 1; ; sequence += 1) {
      sent = sequence;
      yield change(sequence, { fact: { case: "messageAdded", value: { message: { subject: "x".repeat(10_000) } } } });
    }
  };
  const watch = await watching([flood, open(change(1))]);
  for await (const _ of watch) {
    let known = -1;
    await eventually(async () => {
      const still = known === sent;
      known = sent;
      return new Promise((resolve) => setTimeout(resolve, 60, still));
    });
    assert.ok(sent < 80, `${sent} changes of 10 kB were sent`);
    assert.deepEqual(await take((client as Postroom).watch("accounts/b"), 1), ["m1"]);
    break;
  }
});
