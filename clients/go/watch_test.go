package postroom

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

func TestWatchAsksForWhatItsOptionsSay(t *testing.T) {
	feed, client := feedOf(t, script(change(1), change(2)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{
		Start: v1.WatchChangesRequest_EARLIEST, Kinds: []v1.Change_Kind{v1.Change_MESSAGE_ADDED},
		Mailboxes: []string{"accounts/ada/mailboxes/inbox"}, Heartbeat: 7 * time.Second,
	})
	sequences(t, take(t, watch, 1), 1)
	request := feed.requests[0]
	equal(t, "parent", request.GetParent(), "accounts/ada")
	equal(t, "start", request.GetStartFrom(), v1.WatchChangesRequest_EARLIEST)
	equal(t, "kind", request.GetKinds()[0], v1.Change_MESSAGE_ADDED)
	equal(t, "mailbox", request.GetMailboxes()[0], "accounts/ada/mailboxes/inbox")
	equal(t, "heartbeat", request.GetHeartbeatInterval().AsDuration(), 7*time.Second)
}

func TestWatchBeginsNowWithTheDefaultHeartbeat(t *testing.T) {
	feed, client := feedOf(t, script(change(1), change(2)))
	take(t, client.Watch(within(t), "accounts/-", WatchOptions{}), 1)
	equal(t, "start", feed.requests[0].GetStartFrom(), v1.WatchChangesRequest_NOW)
	equal(t, "heartbeat", feed.requests[0].GetHeartbeatInterval().AsDuration(), DefaultHeartbeat)
}

func TestWatchGoesOnFromItsCursorAndTellsNothingTwice(t *testing.T) {
	feed, client := feedOf(t,
		script(checkpoint("start", 2), change(1), change(2), fail(codes.Unavailable)),
		script(change(1), change(2), change(3), fail(codes.Internal)),
		script(change(3), change(4), change(5)),
	)
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{Cursor: "stored"})
	sequences(t, take(t, watch, 4), 1, 2, 3, 4)
	if got := feed.cursors(); !slices.Equal(got, []string{"stored", at(2), at(3)}) {
		t.Errorf("cursors: %v", got)
	}
	equal(t, "cursor", watch.Cursor(), at(4))
	equal(t, "streams that overlapped", feed.overlaps, 0)
}

func TestAChangeIsFinishedWhenTheNextOneIsAskedFor(t *testing.T) {
	feed, client := feedOf(t, script(change(1), change(2), hold), script(change(2), change(3)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{Cursor: "stored"})
	var cursors []string
	for change, err := range watch.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if cursors = append(cursors, watch.Cursor()); change.GetSequence() == 2 {
			break
		}
	}
	equal(t, "cursor at 1", cursors[0], "stored")
	equal(t, "cursor at 2", cursors[1], at(1))
	equal(t, "state", watch.State(), StateConnecting)
	sequences(t, take(t, watch, 1), 2)
	equal(t, "second stream", feed.cursors()[1], at(1))
	equal(t, "streams that overlapped", feed.overlaps, 0)
}

func TestEachBeginsAgainWithTheChangeWhoseHandlerFailed(t *testing.T) {
	_, client := feedOf(t, script(change(1), change(2), hold), script(change(2), change(3), end(v1.StreamEnd_REPLACED, 0)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	broken, found := errors.New("broken"), []int64(nil)
	handler := func(change *v1.Change) error {
		if found = append(found, change.GetSequence()); len(found) == 2 {
			return broken
		}
		return nil
	}
	if err := watch.Each(handler); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	var ended *WatchEnded
	if err := watch.Each(handler); !errors.As(err, &ended) {
		t.Fatalf("got %v", err)
	}
	sequences(t, found, 1, 2, 2, 3)
}

func TestAPanicInTheLoopLeavesNoStreamAndLosesNothing(t *testing.T) {
	_, client := feedOf(t, script(change(1), hold), script(change(1), change(2)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	func() {
		defer func() { _ = recover() }()
		for range watch.Changes() {
			panic("broken")
		}
	}()
	sequences(t, take(t, watch, 1), 1)
}

func TestAResetIsHandedOverAndTheLoopGoesOn(t *testing.T) {
	var told states
	feed, client := feedOf(t, script(
		change(7), checkpoint(at(7), 0), reset("reset"), change(1), checkpoint(at(1), 0), change(2), change(3),
	))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{OnState: told.note})
	var found []int64
	var resets []*FeedReset
	for change, err := range watch.Changes() {
		var one *FeedReset
		if errors.As(err, &one) {
			resets = append(resets, one)
			equal(t, "state", watch.State(), StateReset)
			equal(t, "cursor", watch.Cursor(), at(7))
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if found = append(found, change.GetSequence()); len(found) == 3 {
			break
		}
	}
	sequences(t, found, 7, 1, 2)
	equal(t, "streams", len(feed.cursors()), 1)
	equal(t, "reset", *resets[0], FeedReset{"accounts/ada", v1.Reset_STORE_ROLLED_BACK, "reset"})
	told.want(t, StateCatchingUp, StateLive, StateReset, StateCatchingUp, StateLive, StateConnecting)
}

func TestAWatchThatWasLeftAtAResetGoesOnBehindIt(t *testing.T) {
	feed, client := feedOf(t, script(change(7), reset("reset"), hold), script(change(1), change(2)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	var reset *FeedReset
	if err := watch.Each(func(*v1.Change) error { return nil }); !errors.As(err, &reset) {
		t.Fatalf("got %v", err)
	}
	equal(t, "state", watch.State(), StateReset)
	equal(t, "cursor", watch.Cursor(), at(7))
	sequences(t, take(t, watch, 1), 1)
	equal(t, "second stream", feed.cursors()[1], "reset")
}

func TestStatesTellTheWayToTheHead(t *testing.T) {
	var told states
	_, client := feedOf(t, script(checkpoint("start", 2), change(1), checkpoint(at(1), 0), change(2), change(3)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{OnState: told.note})
	for change, err := range watch.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "head", watch.HeadCursor(), "head")
		if change.GetSequence() == 1 {
			equal(t, "lag", watch.LagChanges(), 2)
			equal(t, "state", watch.State(), StateCatchingUp)
			continue
		}
		equal(t, "lag", watch.LagChanges(), 0)
		equal(t, "state", watch.State(), StateLive)
		equal(t, "cursor", watch.Cursor(), at(1))
		break
	}
	watch.Close()
	told.want(t, StateCatchingUp, StateLive, StateConnecting, StateClosed)
}

func TestAListenerMayCloseTheWatch(t *testing.T) {
	var told states
	_, client := feedOf(t)
	var watch *Watch
	watch = client.Watch(within(t), "accounts/ada", WatchOptions{OnState: func(state State) {
		if told.note(state); state == StateLive {
			watch.Close()
		}
	}})
	if err := watch.Each(func(*v1.Change) error { return nil }); err != nil {
		t.Fatal(err)
	}
	told.want(t, StateCatchingUp, StateLive, StateClosed)
}

func TestUnknownChangesAreHandedOverAndUnknownFramesMoveTheCursor(t *testing.T) {
	field := protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "from a newer server")
	strange := &v1.Change{Cursor: at(1), Account: "accounts/ada", Sequence: 1}
	strange.ProtoReflect().SetUnknown(field)
	frame := &v1.WatchChangesResponse{Cursor: "moved"}
	frame.ProtoReflect().SetUnknown(field)
	feed, client := feedOf(t, script(told(strange), send(frame), fail(codes.Unavailable)), script(change(2)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	var kinds []string
	for change, err := range watch.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if kinds = append(kinds, KindOf(change)); len(kinds) == 2 {
			break
		}
	}
	equal(t, "first kind", kinds[0], UnknownKind)
	equal(t, "second kind", kinds[1], "MESSAGE_ADDED")
	equal(t, "second stream", feed.cursors()[1], "moved")
}

func TestOnlyOneLoopReadsAWatch(t *testing.T) {
	_, client := feedOf(t, script(change(1), hold))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	for range watch.Changes() {
		if err := watch.Each(func(*v1.Change) error { return nil }); !errors.Is(err, errBusy) {
			t.Errorf("got %v", err)
		}
		break
	}
}

func TestCancellationEndsAWatchAtOnce(t *testing.T) {
	ended := errors.New("over")
	for name, act := range map[string]func(*Client, *Watch, context.CancelCauseFunc){
		"context": func(_ *Client, _ *Watch, cancel context.CancelCauseFunc) { cancel(ended) },
		"watch":   func(_ *Client, watch *Watch, _ context.CancelCauseFunc) { watch.Close() },
		"client":  func(client *Client, _ *Watch, _ context.CancelCauseFunc) { _ = client.Close() },
	} {
		for moment, scripts := range map[string][][]part{
			"while it reads":  {script(checkpoint("start", 0), hold)},
			"while it pauses": {script(checkpoint("start", 0), end(v1.StreamEnd_DRAINING, time.Minute))},
		} {
			t.Run(name+" "+moment, func(t *testing.T) {
				_, client := feedOf(t, scripts...)
				ctx, cancel := context.WithCancelCause(within(t))
				live := make(chan struct{}, 9)
				watch := client.Watch(ctx, "accounts/ada", WatchOptions{OnState: func(State) { live <- struct{}{} }})
				done := make(chan error, 1)
				go func() { done <- watch.Each(func(*v1.Change) error { return nil }) }()
				<-live
				began := time.Now()
				act(client, watch, cancel)
				err := <-done
				if name == "context" && !errors.Is(err, context.Canceled) || name != "context" && err != nil {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("took %s", took)
				}
				equal(t, "state", watch.State(), StateClosed)
			})
		}
	}
}

func TestAWatchOfAnEndedContextOpensNoStream(t *testing.T) {
	feed, client := feedOf(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client.Watch(ctx, "accounts/ada", WatchOptions{}).Each(nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	equal(t, "streams", len(feed.cursors()), 0)
}
