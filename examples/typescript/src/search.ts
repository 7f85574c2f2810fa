// Searches a mailbox and lists what it found, page by page.
//
//     npm run build && POSTROOM_TOKEN=$(cat ../../.postroom/token) node dist/search.js accounts/ada inbox invoice
import { connect, timestampDate } from "postroom";

import { address, token } from "./settings.js";

const [parent = "", mailbox = "inbox", subject = ""] = process.argv.slice(2);
const client = connect(address, token);
try {
  const request = { parent, mailboxes: [mailbox], filter: { condition: { subject } }, pageSize: 50 };
  let count = 0;
  for await (const message of client.pages(client.messages.searchMessages, request)) {
    const time = message.receiveTime ? timestampDate(message.receiveTime).toISOString() : "";
    console.log(time, message.fromAddresses.map((from) => from.address).join(", "), message.subject);
    count += 1;
  }
  console.log(`${count} found`);
} finally {
  client.close();
}
