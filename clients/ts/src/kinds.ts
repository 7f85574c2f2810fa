import { Change_Kind, type Change } from "./gen/postroom/v1/change_pb.js";

/** The kinds of changes, by the names of `postroom.v1.Change.Kind`. */
export type ChangeKind = Exclude<keyof typeof Change_Kind, "KIND_UNSPECIFIED">;

/** The kind of a change, such as `MESSAGE_ADDED`; `UNKNOWN` for a kind that this version does not know. */
export function kindOf(change: Change): ChangeKind | "UNKNOWN" {
  const name = (change.fact.case ?? "").replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  return name in Change_Kind ? (name as ChangeKind) : "UNKNOWN";
}
