package postroom

import (
	"strings"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// UnknownKind is the kind of a change that a newer server knows and this version does not.
const UnknownKind = "UNKNOWN"

// KindOf returns the kind of a change as the contract names it, such as "MESSAGE_ADDED"; [UnknownKind] for one that this
// version does not know. Such a change has an account, a sequence and a cursor like any other.
func KindOf(change *postroomv1.Change) string {
	message := change.ProtoReflect()
	fact := message.WhichOneof(message.Descriptor().Oneofs().ByName("fact"))
	if fact == nil {
		return UnknownKind
	}
	return strings.ToUpper(string(fact.Name()))
}
