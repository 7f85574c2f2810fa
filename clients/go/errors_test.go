package postroom

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

func TestAnErrorHoldsWhatTheServerSaid(t *testing.T) {
	from, err := status.New(codes.InvalidArgument, "Two fields are wrong.").WithDetails(
		&errdetails.ErrorInfo{Reason: "REQUEST_INVALID", Domain: "postroom", Metadata: map[string]string{"field": "to[0]"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "to[0]", Description: "no address"}, {Field: "subject", Description: "a line break"},
		}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)},
	)
	if err != nil {
		t.Fatal(err)
	}
	var failed *Error
	if wrapped := fmt.Errorf("sending: %w", FromStatus(from.Proto())); !errors.As(wrapped, &failed) {
		t.Fatal(wrapped)
	}
	equal(t, "reason", failed.Reason, v1.ErrorReason_REQUEST_INVALID)
	equal(t, "told", failed.Told, "REQUEST_INVALID")
	equal(t, "code", failed.Code, codes.InvalidArgument)
	equal(t, "message", failed.Message, "Two fields are wrong.")
	equal(t, "metadata", failed.Metadata["field"], "to[0]")
	equal(t, "violations", fmt.Sprint(failed.Violations), "[{to[0] no address} {subject a line break}]")
	equal(t, "retry after", failed.RetryAfter, 3*time.Second)
	equal(t, "transient", failed.Transient(), false)
	equal(t, "text", failed.Error(), "postroom: REQUEST_INVALID: Two fields are wrong.")
	equal(t, "gRPC code", status.Code(failed), codes.InvalidArgument)
	equal(t, "gRPC details", len(status.Convert(failed).Details()), 3)
}

func TestAnErrorIsItsReason(t *testing.T) {
	err := asError(refusal(codes.NotFound, "ACCOUNT_NOT_FOUND", 0))
	equal(t, "its reason", errors.Is(err, Reason(v1.ErrorReason_ACCOUNT_NOT_FOUND)), true)
	equal(t, "another", errors.Is(err, Reason(v1.ErrorReason_MESSAGE_NOT_FOUND)), false)
	equal(t, "text", Reason(v1.ErrorReason_ACCOUNT_NOT_FOUND).Error(), "postroom: ACCOUNT_NOT_FOUND")
}

func TestAReasonOfANewerServerKeepsItsWordAndCode(t *testing.T) {
	var failed *Error
	if !errors.As(asError(refusal(codes.Unavailable, "MOON_UNREACHABLE", 0)), &failed) {
		t.Fatal("no Error")
	}
	equal(t, "reason", failed.Reason, v1.ErrorReason_ERROR_REASON_UNSPECIFIED)
	equal(t, "told", failed.Told, "MOON_UNREACHABLE")
	equal(t, "transient", failed.Transient(), true)
}

func TestAnErrorOfAnotherDomainHasNoReason(t *testing.T) {
	from, err := status.New(codes.NotFound, "gone").WithDetails(&errdetails.ErrorInfo{Reason: "ACCOUNT_NOT_FOUND", Domain: "other"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "its reason", errors.Is(asError(from.Err()), Reason(v1.ErrorReason_ACCOUNT_NOT_FOUND)), false)
}

func TestEveryErrorIsAnError(t *testing.T) {
	for _, err := range []error{
		asError(errors.New("odd")), asError(context.Canceled), asError(unavailable),
		&FeedReset{Scope: "accounts/ada", Why: v1.Reset_RETENTION},
		&WatchEnded{Why: v1.StreamEnd_REPLACED}, &DownloadDamaged{Name: "n", Message: "m"},
	} {
		var failed *Error
		if !errors.As(err, &failed) || failed.Error() == "" || err.Error() == "" {
			t.Errorf("%T", err)
		}
	}
	equal(t, "OK", FromStatus(&statuspb.Status{}), nil)
	equal(t, "none", asError(nil), nil)
}
