package postroom

import (
	"fmt"

	"google.golang.org/grpc/codes"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// A FeedReset says that the changes so far no longer lead to the present: list again what Scope names, then go on with the
// same watch.
type FeedReset struct {
	// Scope is the resource name of the account or mailbox to list again, or accounts/- for all that is watched.
	Scope string
	// Why is the cause.
	Why postroomv1.Reset_Reason
	// Cursor is the position after the reset.
	Cursor string
}

// Error names the scope and the cause.
func (r *FeedReset) Error() string {
	return fmt.Sprintf("postroom: the feed of %s was reset: %s", r.Scope, r.Why)
}

// Unwrap returns the reset as an [Error], so that errors.As finds one in every error of the package.
func (r *FeedReset) Unwrap() error {
	return &Error{Code: codes.Unknown, Message: "the feed of " + r.Scope + " was reset: " + r.Why.String()}
}

// A WatchEnded says that the server ended a watch for good.
type WatchEnded struct {
	// Why is REPLACED, TOKEN_REVOKED, ACCOUNT_REMOVED or CONSUMER_CHANGED.
	Why postroomv1.StreamEnd_Reason
	// Cursor is the position after the last change.
	Cursor string
}

// Error names the cause.
func (e *WatchEnded) Error() string {
	return "postroom: the stream ended: " + e.Why.String()
}

// Unwrap returns the end as an [Error], so that errors.As finds one in every error of the package.
func (e *WatchEnded) Unwrap() error {
	return &Error{Code: codes.Unknown, Message: "the stream ended: " + e.Why.String()}
}

// A DownloadDamaged says that what came is not what the server announced: too short, too long, or with another hash. What
// was written so far is worthless.
type DownloadDamaged struct {
	// Name is the resource name of what was downloaded.
	Name string
	// Message is for people.
	Message string
}

// Error names the resource and the damage.
func (d *DownloadDamaged) Error() string {
	return "postroom: " + d.Name + ": " + d.Message
}

// Unwrap returns the damage as an [Error] of the code DATA_LOSS.
func (d *DownloadDamaged) Unwrap() error {
	return &Error{Code: codes.DataLoss, Message: d.Message}
}
