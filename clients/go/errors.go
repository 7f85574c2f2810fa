package postroom

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// errorDomain marks the ErrorInfo whose reason is one of the contract.
const errorDomain = "postroom"

// An Error says that the server refused a call or could not be reached. Every error of a call is one:
//
//	var failed *postroom.Error
//	if errors.As(err, &failed) && failed.Transient() {
//		...
//	}
//
// A single reason is asked for by [Reason]. A call that its context ended is also context.Canceled or
// context.DeadlineExceeded for errors.Is.
type Error struct {
	// Reason is ERROR_REASON_UNSPECIFIED if the server gave none, or one that this version does not know.
	Reason postroomv1.ErrorReason
	// Told is the reason in the server's own word, also one that this version does not know; empty if it gave none.
	Told string
	// Code is the gRPC code.
	Code codes.Code
	// Message is for people.
	Message string
	// Metadata holds the variable parts of the message, such as "account".
	Metadata map[string]string
	// Violations are the fields at fault.
	Violations []Violation
	// RetryAfter is how long to wait before the same call may succeed; 0 when waiting does not help or is unknown.
	RetryAfter time.Duration

	status *status.Status
}

// A Violation is a field of a request and what is wrong with it.
type Violation struct {
	// Field is a JSON path, such as "submission.composed.to[1].address".
	Field string
	// Description is for people.
	Description string
}

// Error returns the reason, or else the code, and the message.
func (e *Error) Error() string {
	word := e.Told
	if word == "" {
		word = e.Code.String()
	}
	return "postroom: " + word + ": " + e.Message
}

// GRPCStatus returns the status as it came, so that an Error is still a gRPC error.
func (e *Error) GRPCStatus() *status.Status {
	if e.status == nil {
		return status.New(e.Code, e.Message)
	}
	return e.status
}

// Transient tells whether the same call may succeed a little later.
func (e *Error) Transient() bool {
	return e.Code == codes.Unavailable || e.Code == codes.ResourceExhausted
}

// Is compares with a reason ([Reason]) and with the errors of a context.
func (e *Error) Is(target error) bool {
	if wanted, ok := target.(reason); ok {
		return e.Reason == postroomv1.ErrorReason(wanted)
	}
	switch target {
	case context.Canceled:
		return e.Code == codes.Canceled
	case context.DeadlineExceeded:
		return e.Code == codes.DeadlineExceeded
	}
	return false
}

type reason postroomv1.ErrorReason

func (r reason) Error() string {
	return "postroom: " + postroomv1.ErrorReason(r).String()
}

// Reason returns what errors.Is compares an error with:
//
//	errors.Is(err, postroom.Reason(postroomv1.ErrorReason_ACCOUNT_NOT_FOUND))
func Reason(wanted postroomv1.ErrorReason) error {
	return reason(wanted)
}

// FromStatus returns the error of a status, such as stands in a batch's results; nil if the status is OK.
func FromStatus(from *statuspb.Status) error {
	if codes.Code(from.GetCode()) == codes.OK {
		return nil
	}
	return fromStatus(status.FromProto(from))
}

func fromStatus(from *status.Status) *Error {
	made := &Error{Code: from.Code(), Message: from.Message(), status: from}
	for _, detail := range from.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == errorDomain {
				made.Told, made.Metadata = detail.GetReason(), maps.Clone(detail.GetMetadata())
			}
		case *errdetails.BadRequest:
			for _, one := range detail.GetFieldViolations() {
				made.Violations = append(made.Violations, Violation{one.GetField(), one.GetDescription()})
			}
		case *errdetails.RetryInfo:
			made.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	if made.Told == "" && made.Code == codes.DeadlineExceeded {
		made.Told = postroomv1.ErrorReason_DEADLINE_EXCEEDED.String()
	}
	made.Reason = postroomv1.ErrorReason(postroomv1.ErrorReason_value[made.Told])
	return made
}

// asError makes an Error of what gRPC returns; nil and io.EOF stay what they are.
func asError(err error) error {
	var known *Error
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &known) {
		return err
	}
	if from, ok := status.FromError(err); ok {
		return fromStatus(from)
	}
	return fromStatus(status.FromContextError(err))
}

// codeOf returns the code of an error of a call.
func codeOf(err error) codes.Code {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Code
	}
	return codes.Unknown
}

// retryAfter returns how long an error asks to wait.
func retryAfter(err error) time.Duration {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.RetryAfter
	}
	return 0
}
