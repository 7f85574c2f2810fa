package postroom

import (
	"container/list"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// maxAccounts bounds the accounts whose last sequence is remembered to tell a repetition.
const maxAccounts = 100_000

// seen remembers the last sequence that each account's reader has finished; the account that was heard of longest ago is
// forgotten first.
type seen struct {
	limit    int
	accounts map[string]*list.Element
	order    *list.List
}

type lastSequence struct {
	account  string
	sequence int64
}

func newSeen(limit int) *seen {
	return &seen{limit: limit, accounts: make(map[string]*list.Element), order: list.New()}
}

// repeated tells whether a change was finished before; one of a snapshot has no sequence and always counts.
func (s *seen) repeated(change *postroomv1.Change) bool {
	element, known := s.accounts[change.GetAccount()]
	return known && change.GetSequence() != 0 && change.GetSequence() <= element.Value.(*lastSequence).sequence
}

// finish remembers a change; an account that was removed is forgotten, because one of the same name is another one.
func (s *seen) finish(change *postroomv1.Change) {
	account, sequence := change.GetAccount(), change.GetSequence()
	element, known := s.accounts[account]
	switch {
	case sequence == 0:
	case change.GetAccountRemoved() != nil:
		if known {
			s.drop(element)
		}
	case known:
		element.Value.(*lastSequence).sequence = sequence
		s.order.MoveToBack(element)
	default:
		s.accounts[account] = s.order.PushBack(&lastSequence{account, sequence})
		if len(s.accounts) > s.limit {
			s.drop(s.order.Front())
		}
	}
}

func (s *seen) drop(element *list.Element) {
	delete(s.accounts, element.Value.(*lastSequence).account)
	s.order.Remove(element)
}

// clear forgets everything: after a reset, sequences may begin again.
func (s *seen) clear() {
	clear(s.accounts)
	s.order.Init()
}
