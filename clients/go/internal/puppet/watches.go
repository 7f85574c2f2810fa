package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// reader is a watch and the goroutine that reads it.
type reader struct {
	puppet  *puppet
	wanted  command
	watch   *postroom.Watch
	changes atomic.Int64
	stopped chan struct{}
	ended   chan struct{}
}

func (p *puppet) watch(_ context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	made := &reader{puppet: p, wanted: wanted, stopped: make(chan struct{}), ended: make(chan struct{})}
	made.watch = client.Watch(context.Background(), wanted.Parent, postroom.WatchOptions{
		Cursor:    wanted.Cursor,
		Start:     v1.WatchChangesRequest_StartFrom(v1.WatchChangesRequest_StartFrom_value[wanted.Start]),
		Kinds:     kinds(wanted.Kinds),
		Mailboxes: wanted.Mailboxes,
		Heartbeat: seconds(wanted.Heartbeat),
		Patience:  seconds(wanted.Patience),
		OnState: func(state postroom.State) {
			p.write(object{"watch": wanted.Watch, "event": "state", "state": state})
		},
	})
	p.mutex.Lock()
	p.watches[wanted.Watch] = made
	p.mutex.Unlock()
	p.beside(made.read)
	return object{}, nil
}

func kinds(names []string) []v1.Change_Kind {
	found := make([]v1.Change_Kind, 0, len(names))
	for _, name := range names {
		found = append(found, v1.Change_Kind(v1.Change_Kind_value[name]))
	}
	return found
}

// read reads until the watch is over, and enters the loop again where the handler failed.
func (r *reader) read() {
	defer close(r.ended)
	for again := true; again; {
		again = r.loop()
	}
}

func (r *reader) loop() (again bool) {
	for change, err := range r.watch.Changes() {
		var reset *postroom.FeedReset
		switch {
		case errors.As(err, &reset):
			r.tell(object{"event": "reset", "why": reset.Why.String(), "scope": reset.Scope})
		case err != nil:
			r.tell(object{"event": "error", "error": told(err)})
			return false
		case !r.handle(change):
			return true
		}
	}
	return false
}

// handle takes its time over a change; false means that it failed.
func (r *reader) handle(change *v1.Change) bool {
	count := r.changes.Add(1)
	if !r.wanted.Quiet {
		r.tell(object{
			"event": "change", "kind": postroom.KindOf(change), "account": change.GetAccount(),
			"sequence": change.GetSequence(), "subject": change.GetMessageAdded().GetMessage().GetSubject(),
			"cursor": change.GetCursor(), "finished": r.watch.Cursor(),
		})
	}
	if r.wanted.Pause > 0 {
		select {
		case <-time.After(seconds(r.wanted.Pause)):
		case <-r.stopped:
		}
	}
	return count != int64(r.wanted.FailAt)
}

func (r *reader) tell(event object) {
	event["watch"] = r.wanted.Watch
	r.puppet.write(event)
}

func (p *puppet) reader(wanted command) (*reader, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	found, ok := p.watches[wanted.Watch]
	if !ok {
		return nil, fmt.Errorf("no watch %q", wanted.Watch)
	}
	return found, nil
}

func (p *puppet) look(_ context.Context, wanted command) (any, error) {
	found, err := p.reader(wanted)
	if err != nil {
		return nil, err
	}
	return object{
		"state": found.watch.State(), "cursor": found.watch.Cursor(), "head": found.watch.HeadCursor(),
		"lag": found.watch.LagChanges(), "changes": found.changes.Load(),
	}, nil
}

func (p *puppet) stop(_ context.Context, wanted command) (any, error) {
	found, err := p.reader(wanted)
	if err != nil {
		return nil, err
	}
	found.end()
	<-found.ended
	return object{}, nil
}

// end closes the watch and wakes its handler.
func (r *reader) end() {
	r.puppet.mutex.Lock()
	defer r.puppet.mutex.Unlock()
	select {
	case <-r.stopped:
	default:
		close(r.stopped)
	}
	r.watch.Close()
}

// benchWatch reads the feed from its beginning until so many changes came.
func (p *puppet) benchWatch(ctx context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	watch := client.Watch(ctx, wanted.Parent, postroom.WatchOptions{Start: v1.WatchChangesRequest_EARLIEST})
	defer watch.Close()
	began, changes := time.Now(), 0
	for _, err := range watch.Changes() {
		if err != nil {
			return nil, err
		}
		if changes++; changes >= wanted.Count {
			break
		}
	}
	return object{"changes": changes, "seconds": time.Since(began).Seconds()}, nil
}
