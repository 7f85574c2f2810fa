import type { Change } from "./gen/postroom/v1/change_pb.js";

/** Accounts whose last sequence is remembered. */
export const maxAccounts = 100_000;

/** The last sequence of each account that was handed over, to tell a change that comes again. */
export class Repetitions {
  readonly #last = new Map<string, bigint>();

  /** Whether this change was handed over before. What belongs to a snapshot has no sequence and always counts. */
  has(change: Change): boolean {
    return change.sequence !== 0n && change.sequence <= (this.#last.get(change.account) ?? 0n);
  }

  /** Remembers a change that is finished. */
  add(change: Change): void {
    if (change.sequence === 0n) {
      return;
    }
    this.#last.delete(change.account);
    if (change.fact.case === "accountRemoved") {
      return; // an account that is made under the same name is another one
    }
    this.#last.set(change.account, change.sequence);
    if (this.#last.size > maxAccounts) {
      const [oldest] = this.#last.keys();
      this.#last.delete(oldest as string);
    }
  }

  /** Forgets everything: what follows a reset may be counted anew. */
  clear(): void {
    this.#last.clear();
  }
}
