package postroom

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

func TestAnEndThatPassesOpensAnotherStream(t *testing.T) {
	for _, reason := range []v1.StreamEnd_Reason{
		v1.StreamEnd_DRAINING, v1.StreamEnd_STORE_UNAVAILABLE, v1.StreamEnd_INTERNAL, v1.StreamEnd_REASON_UNSPECIFIED, 99,
	} {
		t.Run(reason.String(), func(t *testing.T) {
			feed, client := feedOf(t, script(change(1), end(reason, 0)), script(change(2), change(3)))
			watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
			sequences(t, take(t, watch, 2), 1, 2)
			equal(t, "second stream", feed.cursors()[1], at(1))
		})
	}
}

func TestAnEndForGoodIsReturnedAndStays(t *testing.T) {
	for _, reason := range final {
		t.Run(reason.String(), func(t *testing.T) {
			feed, client := feedOf(t, script(change(1), end(reason, 0)))
			watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
			for range 2 {
				var ended *WatchEnded
				if err := watch.Each(func(*v1.Change) error { return nil }); !errors.As(err, &ended) {
					t.Fatalf("got %v", err)
				}
				equal(t, "end", *ended, WatchEnded{reason, at(1)})
				equal(t, "state", watch.State(), StateClosed)
			}
			equal(t, "streams", len(feed.cursors()), 1)
		})
	}
}

func TestAFatalCodeIsReturnedAtOnce(t *testing.T) {
	for _, code := range fatal {
		t.Run(code.String(), func(t *testing.T) {
			var told states
			feed, client := feedOf(t, script(fail(code)))
			watch := client.Watch(within(t), "accounts/ada", WatchOptions{OnState: told.note})
			equal(t, "code", codeOf(watch.Each(nil)), code)
			equal(t, "streams", len(feed.cursors()), 1)
			told.want(t, StateClosed)
		})
	}
}

func TestAnyOtherCodeAndAStreamWithoutEndAreTriedAgain(t *testing.T) {
	scripts := [][]part{script(change(1))}
	for _, code := range []codes.Code{codes.Unknown, codes.Internal, codes.DeadlineExceeded, codes.Canceled} {
		scripts = append(scripts, script(fail(code)))
	}
	feed, client := feedOf(t, append(scripts, script(change(2), change(3)))...)
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	sequences(t, take(t, watch, 2), 1, 2)
	equal(t, "streams", len(feed.cursors()), 6)
}

func TestTheWatchdogLeavesASilentStream(t *testing.T) {
	var told states
	feed, client := feedOf(t, script(change(1), hold), script(change(2), change(3)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{OnState: told.note})
	watch.silence = 100 * time.Millisecond
	sequences(t, take(t, watch, 2), 1, 2)
	if gap := feed.gap(); gap < watch.silence {
		t.Errorf("the silent stream was left after %s", gap)
	}
	equal(t, "streams that overlapped", feed.overlaps, 0)
	told.want(t, StateCatchingUp, StateConnecting, StateCatchingUp, StateConnecting)
}

func TestTheHandlersTimeIsNoSilence(t *testing.T) {
	feed, client := feedOf(t, script(change(1), change(2), change(3)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{Patience: 200 * time.Millisecond})
	watch.silence = watch.patience
	var found []int64
	for change, err := range watch.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * watch.silence)
		if found = append(found, change.GetSequence()); len(found) == 2 {
			break
		}
	}
	sequences(t, found, 1, 2)
	equal(t, "streams", len(feed.cursors()), 1)
}

func TestPatienceReturnsTheLastError(t *testing.T) {
	client := dial(t, "127.0.0.1:1")
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{Patience: 300 * time.Millisecond})
	began := time.Now()
	err := watch.Each(nil)
	equal(t, "code", codeOf(err), codes.Unavailable)
	if took := time.Since(began); took < watch.patience || took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	equal(t, "state", watch.State(), StateClosed)
}

func TestPatienceIsNotStretchedByAServerThatAsksForMore(t *testing.T) {
	detailed, err := status.New(codes.Unavailable, "later").WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)},
	)
	if err != nil {
		t.Fatal(err)
	}
	_, client := feedOf(t, script(func(feedStream) error { return detailed.Err() }))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{Patience: 200 * time.Millisecond})
	if err := watch.Each(nil); codeOf(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestPatienceEndsASilentStreamBeforeTheWatchdog(t *testing.T) {
	_, client := feedOf(t, script(checkpoint("start", 0), hold))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{Patience: 200 * time.Millisecond})
	if err := watch.Each(nil); !errors.Is(err, errSilent) {
		t.Errorf("got %v", err)
	}
}

func TestTheTimeThatAServerAsksForIsKept(t *testing.T) {
	const asked = 400 * time.Millisecond
	detailed, err := status.New(codes.Unavailable, "later").WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(asked)},
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, given := range map[string]struct {
		first part
		least time.Duration
	}{
		"RetryInfo":      {func(feedStream) error { return detailed.Err() }, asked},
		"end.retryAfter": {end(v1.StreamEnd_DRAINING, asked), asked / 2},
	} {
		t.Run(name, func(t *testing.T) {
			feed, client := feedOf(t, script(given.first), script(change(1), change(2)))
			take(t, client.Watch(within(t), "accounts/ada", WatchOptions{}), 1)
			if gap := feed.gap(); gap < given.least || gap > 5*asked {
				t.Errorf("the next stream came after %s", gap)
			}
		})
	}
}

func TestPausesGrowWithFailuresAndStartSmallAfterAHealthyStream(t *testing.T) {
	watch := (&Client{}).Watch(within(t), "accounts/ada", WatchOptions{})
	for failures, most := range []time.Duration{50, 100, 200, 400, 800, 1000, 1000} {
		watch.again(0)
		if most *= time.Millisecond; watch.pause < most/2 || watch.pause > most {
			t.Errorf("after %d failures: %s", failures+1, watch.pause)
		}
	}
	watch.feed = newFeed(watch.ctx, nil, nil)
	watch.feed.began = time.Now().Add(-healthyTime)
	if watch.again(0); watch.pause > firstPause {
		t.Errorf("after a healthy stream: %s", watch.pause)
	}
}

func TestAStalledWatchHoldsUpNoOtherCall(t *testing.T) {
	wide := added(2)
	wide.GetMessageAdded().Message = &v1.Message{Text: string(bytes.Repeat([]byte("wide "), 50_000))}
	flood := func(stream feedStream) error {
		for {
			if err := told(wide)(stream); err != nil {
				return err
			}
		}
	}
	_, client := feedOf(t, script(change(1), flood))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	for _, err := range watch.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			if _, err := client.Accounts.GetAccount(within(t), &v1.GetAccountRequest{Name: "accounts/ada"}); err != nil {
				t.Fatal(err)
			}
		}
		break
	}
}

func TestASilentConnectionIsClosedByItsWatch(t *testing.T) {
	feed, client := feedOf(t, script(checkpoint("start", 0), hold), script(change(1), change(2)))
	watch := client.Watch(within(t), "accounts/ada", WatchOptions{})
	watch.silence = 200 * time.Millisecond
	take(t, watch, 1)
	equal(t, "streams", len(feed.cursors()), 2)
	if feed.peers[0] == feed.peers[1] {
		t.Error("the next stream went over the silent connection")
	}
}

func TestAConnectionThatIsHeardOutlivesASilentStream(t *testing.T) {
	feed, client := feedOf(t, script(checkpoint("start", 0), hold), script(change(1), change(2)))
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	watch := client.Watch(ctx, "accounts/ada", WatchOptions{})
	watch.silence = 300 * time.Millisecond
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		for ctx.Err() == nil {
			_, _ = client.Accounts.GetAccount(ctx, &v1.GetAccountRequest{Name: "accounts/ada"})
		}
	}()
	take(t, watch, 1)
	cancel()
	<-busy
	equal(t, "peer", feed.peers[0], feed.peers[1])
}
