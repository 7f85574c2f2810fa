/**
 * The services of the contract, by the names under which a client has them.
 *
 * @module
 */
import type { DescService } from "@bufbuild/protobuf";
import { createClient, type Client, type Transport } from "@connectrpc/connect";

import {
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

/** Every service, by the name of its property. */
export const services = {
  accounts: AccountService,
  audits: AuditService,
  changes: ChangeService,
  consumers: ConsumerService,
  exports: ExportService,
  mailboxes: MailboxService,
  messages: MessageService,
  oauthApps: OAuthAppService,
  relays: RelayService,
  routes: RouteService,
  sandbox: SandboxService,
  server: ServerService,
  submissions: SubmissionService,
  suppressions: SuppressionService,
  templates: TemplateService,
  threads: ThreadService,
  tokens: TokenService,
} as const satisfies Record<string, DescService>;

/** A typed client of every service. */
export type Services = { readonly [Name in keyof typeof services]: Client<(typeof services)[Name]> };

/** Makes the clients. */
export function servicesOver(transport: Transport): Services {
  const made = Object.entries(services).map(([name, service]) => [name, createClient(service as DescService, transport)]);
  return Object.fromEntries(made) as Services;
}

let fields: Map<string, string> | undefined;

/** The name of the field that holds the rows of a listing's page: its first one. */
export function fieldOfRows(typeName: string): string {
  fields ??= new Map(
    Object.values(services as Record<string, DescService>).flatMap((service) =>
      service.methods.map(({ output }) => [output.typeName, output.fields.find((field) => field.number === 1)?.localName ?? ""] as const),
    ),
  );
  return fields.get(typeName) ?? "";
}
