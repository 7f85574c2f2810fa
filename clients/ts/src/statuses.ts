/**
 * How a failure becomes a PostroomError: a status over gRPC, one as JSON over REST, one of a batch, or none at all.
 *
 * @module
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { statusCode, type StatusCode } from "./codes.js";
import { PostroomError, type Violation } from "./errors.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { Status } from "./gen/google/rpc/status_pb.js";

const domain = "postroom";
const nanosPerSecond = 1e9;
/** What the way to the server fails with, in the codes of Connect; with an ErrorInfo the server said it itself. */
const lost: ReadonlySet<Code> = new Set([Code.Canceled, Code.Aborted, Code.Unknown, Code.Internal]);

/** How Connect's message begins where a request cannot be written down: no server has seen it, nor would another time help. */
const unwritable = "serialize ";
/** How it begins where an answer is cut or is none of gRPC. */
const broken = "protocol error";
const refused = /^HTTP 4\d\d$/;
/** What gRPC makes of an answer by HTTP that is no status. */
const byHttp: Readonly<Record<number, StatusCode>> = { 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED", 429: "UNAVAILABLE" };

interface Details {
  told: string;
  metadata: Record<string, string>;
  violations: Violation[];
  retryAfter?: number;
}

/** The error of a `google.rpc.Status`, such as stands in the results of a batch. */
export function fromStatus(status: Status): PostroomError {
  const find = <Desc extends DescMessage>(schema: Desc): MessageShape<Desc> | undefined => unpacked(status.details, schema);
  return new PostroomError(status.message, { code: statusCode(status.code), ...details(find) });
}

/** The error of a call. What broke on the way is UNAVAILABLE, whatever the transport calls it. */
export function fromFailure(failure: unknown): PostroomError {
  if (failure instanceof PostroomError) {
    return failure;
  }
  const error = ConnectError.from(failure);
  const found = details((schema) => error.findDetails(schema)[0]);
  if (error.code === Code.Internal && error.rawMessage.startsWith(unwritable)) {
    return new PostroomError(error.rawMessage, { code: "INVALID_ARGUMENT", cause: failure });
  }
  if (found.told === "" && isLost(error)) {
    return new PostroomError(error.rawMessage, { code: "UNAVAILABLE", ...found, cause: failure });
  }
  const told = found.told === "" && error.code === Code.DeadlineExceeded ? "DEADLINE_EXCEEDED" : found.told;
  return new PostroomError(error.rawMessage, { code: statusCode(error.code), ...found, told, cause: failure });
}

/** Whether an answer broke on the way. A proxy's refusal is none: the same request is refused again. */
function isLost({ code, rawMessage }: ConnectError): boolean {
  return rawMessage.startsWith(broken) || (lost.has(code) && !refused.test(rawMessage));
}

/** The error of an answer over REST: `google.rpc.Status` as JSON, or whatever a proxy on the way wrote. */
export function fromRest(httpStatus: number, body: string): PostroomError {
  const status = parsed(body);
  if (typeof status["code"] !== "number") {
    const code: StatusCode = byHttp[httpStatus] ?? (httpStatus >= 500 ? "UNAVAILABLE" : "UNKNOWN");
    return new PostroomError(`HTTP ${httpStatus}`, { code, cause: body });
  }
  const found: Details = { told: "", metadata: {}, violations: [] };
  for (const detail of list(status["details"])) {
    const type = text(detail["@type"]);
    if (type.endsWith("/google.rpc.ErrorInfo") && detail["domain"] === domain) {
      found.told = text(detail["reason"]);
      found.metadata = Object.fromEntries(Object.entries(record(detail["metadata"])).map(([key, value]) => [key, text(value)]));
    } else if (type.endsWith("/google.rpc.BadRequest")) {
      found.violations = list(detail["fieldViolations"]).map((one) => ({ field: text(one["field"]), description: text(one["description"]) }));
    } else if (type.endsWith("/google.rpc.RetryInfo")) {
      found.retryAfter = Number.parseFloat(text(detail["retryDelay"])) || 0;
    }
  }
  return new PostroomError(text(status["message"]), { code: statusCode(status["code"]), ...found });
}

function details(find: <Desc extends DescMessage>(schema: Desc) => MessageShape<Desc> | undefined): Details {
  const info = find(ErrorInfoSchema);
  const ours = info?.domain === domain ? info : undefined;
  const violations = find(BadRequestSchema)?.fieldViolations.map(({ field, description }) => ({ field, description }));
  const delay = find(RetryInfoSchema)?.retryDelay;
  return {
    told: ours?.reason ?? "",
    metadata: { ...ours?.metadata },
    violations: violations ?? [],
    ...(delay && { retryAfter: Number(delay.seconds) + delay.nanos / nanosPerSecond }),
  };
}

function unpacked<Desc extends DescMessage>(all: readonly Any[], schema: Desc): MessageShape<Desc> | undefined {
  for (const one of all) {
    const found = anyUnpack(one, schema);
    if (found) {
      return found;
    }
  }
  return undefined;
}

function parsed(body: string): Record<string, unknown> {
  try {
    return record(JSON.parse(body));
  } catch {
    return {};
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
