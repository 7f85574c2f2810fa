// A gRPC server of the test's own, on a real socket: it answers as it is told to, and can lose its connections.
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo, Socket } from "node:net";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

import { connect, type Postroom } from "../../src/index.js";
import {
  ChangeService,
  WatchChangesResponseSchema,
  type WatchChangesRequest,
  type WatchChangesResponse,
} from "../../src/gen/v1.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";

export type Frame = MessageInitShape<typeof WatchChangesResponseSchema>;

/** One stream of a script: its frames; at the end of the script the stream stays open until it is cancelled. */
export type Stream = (request: WatchChangesRequest, context: HandlerContext) => AsyncIterable<Frame> | Iterable<Frame>;

export class FakeServer {
  readonly requests: WatchChangesRequest[] = [];
  cancelled = 0;
  connections = 0;
  #server: Http2Server | undefined;
  readonly #sockets = new Set<Socket>();

  /** Serves `routes`; with `streams`, each watch gets the next of them, the last one again and again. */
  async start(routes: (router: ConnectRouter) => void, streams: readonly Stream[] = []): Promise<Postroom> {
    const handler = connectNodeAdapter({
      routes: (router) => {
        routes(router);
        if (streams.length > 0) {
          router.rpc(ChangeService.method.watchChanges, (request, context) => this.#watch(streams, request, context));
        }
      },
    });
    this.#server = createServer(handler);
    this.#server.on("connection", (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("sessionError", () => undefined);
    await new Promise<void>((resolve) => this.#server?.listen(0, "127.0.0.1", resolve));
    return connect(this.address, "secret");
  }

  get address(): string {
    return `127.0.0.1:${(this.#server?.address() as AddressInfo).port}`;
  }

  /** Ends every connection without a word. */
  cut(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    const server = this.#server;
    if (server) {
      await new Promise((resolve) => server.close(resolve));
    }
  }

  async *#watch(streams: readonly Stream[], request: WatchChangesRequest, context: HandlerContext): AsyncGenerator<WatchChangesResponse> {
    const stream = streams[Math.min(this.requests.length, streams.length - 1)] as Stream;
    this.requests.push(request);
    context.signal.addEventListener("abort", () => (this.cancelled += 1));
    for await (const frame of stream(request, context)) {
      yield create(WatchChangesResponseSchema, frame);
    }
  }
}

/** Never comes back, until the call is cancelled. */
export function forever(context: HandlerContext): Promise<never> {
  return new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(new ConnectError("left", Code.Canceled))));
}

export function change(sequence: number, more: Record<string, unknown> = {}): Frame {
  const cursor = `c${sequence}`;
  const fact = { case: "messageAdded", value: { message: { subject: `m${sequence}` } } } as const;
  return { cursor, frame: { case: "change", value: { cursor, account: "accounts/a", sequence: BigInt(sequence), fact, ...more } } };
}

export function checkpoint(cursor: string, lag = 0): Frame {
  return { cursor, frame: { case: "checkpoint", value: { headCursor: "head", lagChanges: BigInt(lag) } } };
}

/** A refusal as the server makes it. */
export function refusal(code: Code, reason: string, metadata: Record<string, string> = {}, retryAfterMs?: number): ConnectError {
  const details = [
    { desc: ErrorInfoSchema, value: { reason, domain: "postroom", metadata } },
    ...(retryAfterMs === undefined ? [] : [{ desc: RetryInfoSchema, value: { retryDelay: { seconds: 0n, nanos: retryAfterMs * 1e6 } } }]),
  ];
  return new ConnectError(`refused: ${reason}`, code, undefined, details);
}
