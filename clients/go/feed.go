package postroom

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

var (
	errSilent = &Error{Code: codes.Unavailable, Message: "the stream went silent"}
	errBroken = &Error{Code: codes.Unavailable, Message: "the stream ended without an end"}
)

// feed is one WatchChanges call. It is read by one goroutine, and nothing is read ahead: what is not asked for waits in the
// stream's flow-control window.
type feed struct {
	client  postroomv1.ChangeServiceClient
	request *postroomv1.WatchChangesRequest
	ctx     context.Context
	cancel  context.CancelFunc
	call    grpc.ServerStreamingClient[postroomv1.WatchChangesResponse]
	silent  atomic.Bool
	began   time.Time
}

func newFeed(ctx context.Context, client postroomv1.ChangeServiceClient, request *postroomv1.WatchChangesRequest) *feed {
	ctx, cancel := context.WithCancel(ctx)
	return &feed{client: client, request: request, ctx: ctx, cancel: cancel}
}

// next returns the next frame, opening the call first. A call in which none comes for so long is ended: it is dead.
func (f *feed) next(silence time.Duration) (*postroomv1.WatchChangesResponse, error) {
	watchdog := time.AfterFunc(silence, func() {
		f.silent.Store(true)
		f.cancel()
	})
	defer watchdog.Stop()
	frame, err := f.receive()
	switch {
	case err == nil:
		if f.began.IsZero() {
			f.began = time.Now()
		}
		return frame, nil
	case f.silent.Load():
		return nil, errSilent
	case errors.Is(err, io.EOF):
		return nil, errBroken
	}
	return nil, err
}

func (f *feed) receive() (*postroomv1.WatchChangesResponse, error) {
	if f.call == nil {
		call, err := f.client.WatchChanges(f.ctx, f.request)
		if err != nil {
			return nil, err
		}
		f.call = call
	}
	return f.call.Recv()
}

// healthy tells whether the call has lived so long that what was before it no longer counts.
func (f *feed) healthy() bool {
	return !f.began.IsZero() && time.Since(f.began) >= healthyTime
}

// close cancels the call and returns when gRPC has let go of it, so that the server hears of the end before it hears of a next
// call.
func (f *feed) close() {
	f.cancel()
	if f.call == nil {
		return
	}
	for {
		if _, err := f.call.Recv(); err != nil {
			return
		}
	}
}
