/**
 * Listings, page by page.
 *
 * @module
 */
import type { Message } from "@bufbuild/protobuf";

import { fieldOfRows } from "./services.js";

/** A page of a listing. */
export type Page = Message & { nextPageToken: string };

/** What a page has lists of, beside its rows. */
type Aside = "coverage";

/** A row of a page: what its first field is a list of. */
export type Row<P> = { [K in Exclude<keyof P, Aside | `$${string}`>]: P[K] extends (infer One)[] ? One : never }[Exclude<keyof P, Aside | `$${string}`>];

/** Options of a listing; the deadline is that of one page. */
export interface PageOptions {
  /** Ends the listing. */
  readonly signal?: AbortSignal;
  /** Milliseconds for each page. */
  readonly timeoutMs?: number;
}

/** Every row, each page asked for when it is needed. */
export async function* rows<Request extends object, P extends Page>(
  method: (request: Request, options?: PageOptions) => Promise<P>,
  request: Request,
  options?: PageOptions,
): AsyncGenerator<Row<P>, void, undefined> {
  let wanted = request;
  for (;;) {
    const page = await method(wanted, options);
    yield* page[fieldOfRows(page.$typeName) as keyof P] as Iterable<Row<P>>;
    if (page.nextPageToken === "") {
      return;
    }
    wanted = { ...request, pageToken: page.nextPageToken };
  }
}
