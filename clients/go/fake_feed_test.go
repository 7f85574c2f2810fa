package postroom

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

type feedStream = grpc.ServerStreamingServer[v1.WatchChangesResponse]

// part is what a stream does: it sends frames, waits or ends with an error.
type part func(feedStream) error

// fakeFeed plays one script for each stream, in order; a stream without one is live and silent.
type fakeFeed struct {
	v1.UnimplementedChangeServiceServer
	v1.UnimplementedAccountServiceServer

	mutex    sync.Mutex
	scripts  [][]part
	requests []*v1.WatchChangesRequest
	times    []time.Time
	peers    []string
	previous context.Context
	overlaps int
}

func feedOf(t *testing.T, scripts ...[]part) (*fakeFeed, *Client) {
	t.Helper()
	feed := &fakeFeed{scripts: scripts}
	return feed, serve(t, func(server *grpc.Server) {
		v1.RegisterChangeServiceServer(server, feed)
		v1.RegisterAccountServiceServer(server, feed)
	})
}

func (f *fakeFeed) WatchChanges(request *v1.WatchChangesRequest, stream feedStream) error {
	for _, one := range f.opened(request, stream.Context()) {
		if err := one(stream); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeFeed) opened(request *v1.WatchChangesRequest, ctx context.Context) []part {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.previous != nil && f.previous.Err() == nil {
		f.overlaps++
	}
	f.previous = ctx
	if from, ok := peer.FromContext(ctx); ok {
		f.peers = append(f.peers, from.Addr.String())
	}
	f.requests, f.times = append(f.requests, request), append(f.times, time.Now())
	if len(f.scripts) == 0 {
		return []part{checkpoint("live", 0), hold}
	}
	script := f.scripts[0]
	f.scripts = f.scripts[1:]
	return script
}

func (f *fakeFeed) GetAccount(_ context.Context, request *v1.GetAccountRequest) (*v1.GetAccountResponse, error) {
	return &v1.GetAccountResponse{Account: &v1.Account{Name: request.GetName()}}, nil
}

// cursors returns where each stream was asked to begin.
func (f *fakeFeed) cursors() []string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var found []string
	for _, request := range f.requests {
		found = append(found, request.GetCursor())
	}
	return found
}

// gap returns the time between the first stream and the second.
func (f *fakeFeed) gap() time.Duration {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.times[1].Sub(f.times[0])
}

func script(parts ...part) []part { return parts }

func hold(stream feedStream) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

func fail(code codes.Code) part {
	return func(feedStream) error { return status.Error(code, "broken") }
}

func send(frame *v1.WatchChangesResponse) part {
	return func(stream feedStream) error { return stream.Send(frame) }
}

func at(sequence int64) string { return fmt.Sprintf("after-%d", sequence) }

func added(sequence int64) *v1.Change {
	fact := &v1.Change_MessageAdded{MessageAdded: &v1.MessageAdded{}}
	return &v1.Change{Cursor: at(sequence), Account: "accounts/ada", Sequence: sequence, Fact: fact}
}

func change(sequence int64) part { return told(added(sequence)) }

func told(change *v1.Change) part {
	frame := &v1.WatchChangesResponse_Change{Change: change}
	return send(&v1.WatchChangesResponse{Cursor: change.GetCursor(), Frame: frame})
}

func checkpoint(cursor string, lag int64) part {
	frame := &v1.WatchChangesResponse_Checkpoint{Checkpoint: &v1.Checkpoint{HeadCursor: "head", LagChanges: lag}}
	return send(&v1.WatchChangesResponse{Cursor: cursor, Frame: frame})
}

func reset(cursor string) part {
	frame := &v1.Reset{Scope: "accounts/ada", Reason: v1.Reset_STORE_ROLLED_BACK}
	return send(&v1.WatchChangesResponse{Cursor: cursor, Frame: &v1.WatchChangesResponse_Reset_{Reset_: frame}})
}

func end(reason v1.StreamEnd_Reason, wait time.Duration) part {
	frame := &v1.StreamEnd{Reason: reason, RetryAfter: durationpb.New(wait)}
	return send(&v1.WatchChangesResponse{Frame: &v1.WatchChangesResponse_End{End: frame}})
}

// take reads so many changes and leaves the loop as one that has finished the last of them: by asking on once more.
func take(t *testing.T, watch *Watch, count int) []int64 {
	t.Helper()
	var found []int64
	for change, err := range watch.Changes() {
		if err != nil {
			t.Fatalf("after %v: %v", found, err)
		}
		if found = append(found, change.GetSequence()); len(found) > count {
			return found[:count]
		}
	}
	t.Fatalf("the watch ended after %v", found)
	return nil
}

func sequences(t *testing.T, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("changes: got %v, want %v", got, want)
	}
}

// states records what a watch tells of its state.
type states struct {
	mutex sync.Mutex
	all   []State
}

func (s *states) note(state State) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.all = append(s.all, state)
}

func (s *states) want(t *testing.T, want ...State) {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !slices.Equal(s.all, want) {
		t.Errorf("states: got %v, want %v", s.all, want)
	}
}
