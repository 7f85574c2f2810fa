package postroom

import (
	"fmt"
	"testing"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

func of(account string, sequence int64) *v1.Change {
	return &v1.Change{Account: account, Sequence: sequence}
}

func TestSeenTellsARepetitionByAccountAndSequence(t *testing.T) {
	seen := newSeen(10)
	seen.finish(of("ada", 5))
	for _, given := range []struct {
		change   *v1.Change
		repeated bool
	}{
		{of("ada", 4), true}, {of("ada", 5), true}, {of("ada", 6), false}, {of("bob", 5), false}, {of("ada", 0), false},
	} {
		equal(t, given.change.String(), seen.repeated(given.change), given.repeated)
	}
	seen.clear()
	equal(t, "after a reset", seen.repeated(of("ada", 5)), false)
}

func TestSeenForgetsARemovedAccount(t *testing.T) {
	seen := newSeen(10)
	seen.finish(of("ada", 5))
	removed := of("ada", 6)
	removed.Fact = &v1.Change_AccountRemoved{AccountRemoved: &v1.AccountRemoved{}}
	seen.finish(removed)
	equal(t, "the next account of that name", seen.repeated(of("ada", 1)), false)
	equal(t, "accounts", len(seen.accounts), 0)
}

func TestSeenIsBoundedAndForgetsWhatWasHeardOfLongestAgo(t *testing.T) {
	seen := newSeen(3)
	for index := range 3 {
		seen.finish(of(fmt.Sprint(index), 1))
	}
	seen.finish(of("0", 2))
	seen.finish(of("3", 1))
	for account, known := range map[string]bool{"0": true, "1": false, "2": true, "3": true} {
		equal(t, account, seen.repeated(of(account, 1)), known)
	}
	equal(t, "accounts", len(seen.accounts), seen.order.Len())
}
