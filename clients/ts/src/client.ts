/**
 * The client: one connection, the services of the contract, and helpers for what calls alone do not give.
 *
 * It refuses to hide the contract: requests and answers are the messages of `postroom/v1`.
 *
 * @module
 */
import type { CallOptions, Client, Transport } from "@connectrpc/connect";

import { pieces, streamOf, whole, type DownloadOptions, type Downloading } from "./downloads.js";
import { PostroomError } from "./errors.js";
import type { Submission } from "./gen/postroom/v1/submission_pb.js";
import type {
  AccountService,
  AuditService,
  ChangeService,
  ConsumerService,
  ExportService,
  MailboxService,
  MessageService,
  OAuthAppService,
  RelayService,
  RouteService,
  SandboxService,
  ServerService,
  SubmissionService,
  SuppressionService,
  TemplateService,
  ThreadService,
  TokenService,
} from "./gen/v1.js";
import { rows, type Page, type PageOptions, type Row } from "./pages.js";
import type { Platform, Source, UploadOptions } from "./platform.js";
import { governed } from "./policy.js";
import { servicesOver, type Services } from "./services.js";
import { linked } from "./signals.js";
import { Watch, type WatchWays } from "./watch.js";
import type { WatchOptions } from "./watch_options.js";

/** A connection to a server; made by `connect`, ended by `close`. */
export class Postroom implements Services {
  /** Accounts: create, read, change, pause, explain. */
  readonly accounts: Client<typeof AccountService>;
  /** Comparisons of a mailbox with the feed. */
  readonly audits: Client<typeof AuditService>;
  /** The feed as single calls; `watch` is the comfortable way. */
  readonly changes: Client<typeof ChangeService>;
  /** Named readers of the feed. */
  readonly consumers: Client<typeof ConsumerService>;
  /** Exports of whole accounts. */
  readonly exports: Client<typeof ExportService>;
  /** Mailboxes of an account. */
  readonly mailboxes: Client<typeof MailboxService>;
  /** Messages: list, search, read, mark, move. */
  readonly messages: Client<typeof MessageService>;
  /** Registrations at providers of OAuth. */
  readonly oauthApps: Client<typeof OAuthAppService>;
  /** Servers that send on behalf of accounts. */
  readonly relays: Client<typeof RelayService>;
  /** Rules for what comes in. */
  readonly routes: Client<typeof RouteService>;
  /** The server's own provider, for development and tests. */
  readonly sandbox: Client<typeof SandboxService>;
  /** The server itself. */
  readonly server: Client<typeof ServerService>;
  /** Messages on their way out. */
  readonly submissions: Client<typeof SubmissionService>;
  /** Addresses that are not written to. */
  readonly suppressions: Client<typeof SuppressionService>;
  /** Templates of messages. */
  readonly templates: Client<typeof TemplateService>;
  /** Conversations. */
  readonly threads: Client<typeof ThreadService>;
  /** Bearer tokens. */
  readonly tokens: Client<typeof TokenService>;

  readonly #platform: Platform;
  readonly #transport: Transport;
  readonly #closed = new AbortController();
  readonly #reading = new Set<Watch>();

  /** @internal */
  constructor(platform: Platform, token: string) {
    this.#platform = platform;
    this.#transport = governed(platform.transport, token, this.#closed.signal);
    const made = servicesOver(this.#transport);
    this.accounts = made.accounts;
    this.audits = made.audits;
    this.changes = made.changes;
    this.consumers = made.consumers;
    this.exports = made.exports;
    this.mailboxes = made.mailboxes;
    this.messages = made.messages;
    this.oauthApps = made.oauthApps;
    this.relays = made.relays;
    this.routes = made.routes;
    this.sandbox = made.sandbox;
    this.server = made.server;
    this.submissions = made.submissions;
    this.suppressions = made.suppressions;
    this.templates = made.templates;
    this.threads = made.threads;
    this.tokens = made.tokens;
  }

  /**
   * Changes of one account or of all, without end.
   *
   * ```ts
   * for await (const change of client.watch("accounts/ada", { cursor })) {
   *   if (change.fact.case === "messageAdded") console.log(change.fact.value.message?.subject);
   * }
   * ```
   *
   * @param parent - `accounts/{account}`, or `accounts/-` for all
   */
  watch(parent = "accounts/-", options: WatchOptions = {}): Watch {
    const ways: WatchWays = {
      open: (request, signal) => this.changes.watchChanges(request, { signal }),
      renew: (openedAt) => this.#platform.renew(openedAt),
      reading: (watch, yes) => void (yes ? this.#reading.add(watch) : this.#reading.delete(watch)),
    };
    return new Watch(ways, parent, options);
  }

  /**
   * Every row of a listing, page by page: `for await (const account of client.pages(client.accounts.listAccounts, {}))`.
   *
   * @param method - a method whose answer has a `nextPageToken`
   */
  pages<Request extends object, P extends Page>(
    method: (request: Request, options?: CallOptions) => Promise<P>,
    request: Request,
    options?: PageOptions,
  ): AsyncGenerator<Row<P>, void, undefined> {
    return rows(method, request, options);
  }

  /**
   * A raw message, an attachment or an export, whole, its size and SHA-256 checked.
   *
   * @param name - of the message (its RFC 5322 bytes), of the attachment (decoded) or of the export
   * @throws DownloadDamaged when what came is not what was announced
   */
  download(name: string, options: DownloadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return whole(this.#pieces(name, options));
  }

  /** The same as a stream, which ends in DownloadDamaged when what came is not what was announced. */
  downloadStream(name: string, options: DownloadOptions = {}): ReadableStream<Uint8Array> {
    return streamOf((signal) => this.#pieces(name, { ...options, signal }), options.signal);
  }

  /** The same as a Blob of the content's type, `message/rfc822` for a message. */
  async downloadBlob(name: string, options: DownloadOptions = {}): Promise<Blob> {
    let type = "";
    const onType = (told: string): void => void (type = told);
    const bytes = await whole(this.#pieces(name, options, onType));
    return new Blob([bytes], { type });
  }

  /**
   * Hands a raw message (RFC 5322) over for sending, however large.
   *
   * @param parent - the account that sends, `accounts/{account}`
   */
  async upload(parent: string, source: Source, options: UploadOptions = {}): Promise<Submission> {
    const { signal, done } = linked(options.signal, this.#closed.signal);
    try {
      return await this.#platform.upload(this.#transport, parent, source, { ...options, signal });
    } finally {
      done();
    }
  }

  /** Ends watches, calls and the connection. */
  close(): void {
    this.#closed.abort(new PostroomError("the client is closed", { code: "CANCELLED" }));
    for (const watch of [...this.#reading]) {
      watch.close();
    }
    this.#platform.close();
  }

  #pieces(name: string, options: DownloadOptions, onType?: (type: string) => void): AsyncGenerator<Uint8Array, void, undefined> {
    const opening: Downloading = (call) => {
      if (name.includes("/attachments/")) {
        return this.messages.downloadAttachment({ name }, call);
      }
      return name.includes("/exports/") ? this.exports.downloadExport({ name }, call) : this.messages.getMessageSource({ name }, call);
    };
    return pieces(opening, this.#platform.hash(), options, onType);
  }
}
