// Run by a browser, bundled: what a page does with Postroom, told to the server that the page came from.
import { connect, isReason, type Postroom, type WatchState } from "postroom";

interface Settings {
  address: string;
  token: string;
}

async function arrival(client: Postroom, parent: string, subject: string, states: WatchState[]): Promise<string> {
  const signal = AbortSignal.timeout(20_000);
  const onState = (state: WatchState): void => void states.push(state);
  for await (const { fact } of client.watch(parent, { start: "EARLIEST", kinds: ["MESSAGE_ADDED"], signal, onState })) {
    if (fact.case === "messageAdded" && fact.value.message?.subject === subject) {
      return fact.value.message.name;
    }
  }
  throw new Error("the feed ended");
}

async function seen(client: Postroom): Promise<Record<string, unknown>> {
  const accountId = `browser-${Date.now()}`;
  const email = `${accountId}@sandbox.test`;
  const parent = `accounts/${accountId}`;
  await client.accounts.createAccount({ accountId, account: { email, backend: { case: "sandbox", value: {} } } });

  const states: WatchState[] = [];
  const arriving = arrival(client, parent, "From a page", states);
  const head = `From: ${email}\r\nTo: ${email}\r\nSubject: From a page\r\n\r\n`;
  const body = `${"0123456789".repeat(7)}\r\n`.repeat(20_000);
  const uploaded = await client.upload(parent, new Blob([head, body]), { requestId: accountId });
  const name = await arriving;

  const announced: Record<string, string | null> = {};
  const onHeader = (headers: Headers): void => void (announced["length"] = headers.get("x-content-length"));
  const onTrailer = (trailers: Headers): void => void (announced["hash"] = trailers.get("x-content-sha256"));
  let size = 0;
  for await (const piece of client.messages.getMessageSource({ name }, { onHeader, onTrailer })) {
    size += piece.body?.data.length ?? 0;
  }
  const blob = await client.downloadBlob(name);
  const refused = await client.upload("accounts/nobody", new Blob([head])).catch((error: unknown) => error);
  const missing = await client.accounts.getAccount({ name: "accounts/nobody" }).catch((error: unknown) => error);
  return {
    uploaded: uploaded.requestId === accountId,
    size: blob.size === size && size >= head.length + body.length,
    length: announced["length"] === String(size),
    hash: announced["hash"]?.length,
    refused: isReason(refused, "ACCOUNT_NOT_FOUND"),
    missing: isReason(missing, "ACCOUNT_NOT_FOUND") && missing.metadata["account"],
    live: states.includes("live") || states.includes("catching_up"),
    secure: globalThis.isSecureContext,
  };
}

const { address, token } = (await (await fetch("/settings.json")).json()) as Settings;
const client = connect(address, token);
const told = await seen(client).catch((error: unknown) => ({ error: String(error) }));
client.close();
await fetch("/result", { method: "POST", body: JSON.stringify(told) });
