// Sends a file as an attachment, once however often it is tried, and tells what becomes of it.
//
//     npm run build && POSTROOM_TOKEN=$(cat ../../.postroom/token) node dist/send_attachment.js accounts/ada bob@example.com invoice.pdf
import { readFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { basename } from "node:path";

import { connect, isReason } from "postroom";
import { Submission_State } from "postroom/v1";

import { address, token } from "./settings.js";

const [parent = "", recipient = "", path = ""] = process.argv.slice(2);
if (!path) {
  console.error("usage: send_attachment ACCOUNT RECIPIENT FILE");
  process.exit(2);
}
const final = new Set([Submission_State.RELAYED, Submission_State.FAILED, Submission_State.CANCELLED]);
const client = connect(address, token);
try {
  const filename = basename(path);
  const composed = {
    to: [{ address: recipient }],
    subject: `Here is ${filename}`,
    text: "See the attachment.",
    attachments: [{ filename, body: { case: "content" as const, value: await readFile(path) } }],
  };
  // With a request id the call is made again when no node took it; the same id never sends twice.
  const { submission } = await client.submissions.submitMessage({
    parent,
    requestId: randomUUID(),
    submission: { content: { case: "composed", value: composed } },
  });
  console.log("accepted:", submission?.name);
  for await (const { fact } of client.watch(parent, { start: "EARLIEST", kinds: ["SUBMISSION_CHANGED"] })) {
    const changed = fact.case === "submissionChanged" ? fact.value.submission : undefined;
    if (changed?.name === submission?.name && changed) {
      console.log("state:", Submission_State[changed.state]);
      if (final.has(changed.state)) {
        break;
      }
    }
  }
} catch (error) {
  if (!isReason(error, "REQUEST_INVALID")) {
    throw error;
  }
  console.error(error.violations.map(({ field, description }) => `${field}: ${description}`).join("\n"));
  process.exitCode = 1;
} finally {
  client.close();
}
