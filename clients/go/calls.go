package postroom

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// providerReasons is how the reasons begin that speak of the account's provider: waiting for a node does not cure them.
const providerReasons = "PROVIDER_"

// callUnary gives a call its default deadline, makes it again where its rule allows it, and returns errors by reason.
func callUnary(
	ctx context.Context, method string, request, answer any,
	connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	rule := callRules[method]
	ctx, cancel := withDefaultDeadline(ctx, rule.deadline)
	defer cancel()
	for failures := 0; ; failures++ {
		err := asError(invoke(ctx, method, request, answer, connection, options...))
		if err == nil || !repeatable(rule.repeat, request, err) {
			return err
		}
		pause := max(between(0, longest(failures)), retryAfter(err))
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return err
		}
		if !sleep(pause, ctx, context.Background()) {
			return asError(ctx.Err())
		}
	}
}

func withDefaultDeadline(ctx context.Context, deadline time.Duration) (context.Context, context.CancelFunc) {
	if _, given := ctx.Deadline(); given || deadline == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, deadline)
}

// repeatable tells whether a call that failed so may be made again.
func repeatable(rule repeatRule, request any, err error) bool {
	var failed *Error
	if !errors.As(err, &failed) || failed.Code != codes.Unavailable {
		return false
	}
	if strings.HasPrefix(failed.Told, providerReasons) || failed.Reason == postroomv1.ErrorReason_OUTCOME_UNKNOWN {
		return false
	}
	switch rule {
	case repeatAlways:
		return true
	case repeatWithRequestID:
		named, ok := request.(interface{ GetRequestId() string })
		return ok && named.GetRequestId() != ""
	}
	return false
}

// callStream gives an upload its default deadline and makes a stream return errors by reason.
func callStream(
	ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn,
	method string, open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, cancel := withDefaultDeadline(ctx, callRules[method].deadline)
	stream, err := open(ctx, description, connection, method, options...)
	if err != nil {
		cancel()
		return nil, asError(err)
	}
	return &reasonedStream{stream, cancel, description.ServerStreams}, nil
}

// reasonedStream returns errors by reason, and lets go of its context at the end.
type reasonedStream struct {
	grpc.ClientStream
	cancel context.CancelFunc
	many   bool
}

// SendMsg sends a message; io.EOF says that RecvMsg has the error.
func (s *reasonedStream) SendMsg(message any) error {
	return asError(s.ClientStream.SendMsg(message))
}

// RecvMsg receives a message; the last one of a call with a single answer ends the call.
func (s *reasonedStream) RecvMsg(message any) error {
	err := asError(s.ClientStream.RecvMsg(message))
	if err != nil || !s.many {
		s.cancel()
	}
	return err
}
