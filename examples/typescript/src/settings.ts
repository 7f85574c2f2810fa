// Where the server is and who we are: POSTROOM_ADDRESS and POSTROOM_TOKEN, or a Postroom that runs in the present folder.
import { existsSync, readFileSync } from "node:fs";

const tokenFile = ".postroom/token";

export const address = process.env["POSTROOM_ADDRESS"] ?? "127.0.0.1:8080";

export const token = process.env["POSTROOM_TOKEN"] ?? (existsSync(tokenFile) ? readFileSync(tokenFile, "utf8").trim() : "");
