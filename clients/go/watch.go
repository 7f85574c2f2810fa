package postroom

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

const (
	// DefaultHeartbeat is how long the server stays silent at most, unless [WatchOptions] says otherwise.
	DefaultHeartbeat = 25 * time.Second

	// silentHeartbeats is after how many heartbeats without any frame a stream counts as dead.
	silentHeartbeats = 2.5
	// healthyTime is how long a stream has to live for the next pause to start small again.
	healthyTime = time.Minute
)

// fatal are the codes that trying again does not cure.
var fatal = []codes.Code{
	codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.NotFound, codes.OutOfRange,
	codes.Unimplemented, codes.FailedPrecondition, codes.AlreadyExists,
}

// final are the ends after which no other stream is opened.
var final = []postroomv1.StreamEnd_Reason{
	postroomv1.StreamEnd_REPLACED, postroomv1.StreamEnd_TOKEN_REVOKED,
	postroomv1.StreamEnd_ACCOUNT_REMOVED, postroomv1.StreamEnd_CONSUMER_CHANGED,
}

var (
	errClosed = errors.New("postroom: the watch is closed")
	errBusy   = errors.New("postroom: the watch is being read already")
)

// WatchOptions says what a watch reads and how; the zero value reads everything from now on.
type WatchOptions struct {
	// Cursor is where to go on; empty means from Start.
	Cursor string
	// Start is where to begin without a cursor: NOW (also if unset), EARLIEST or SNAPSHOT.
	Start postroomv1.WatchChangesRequest_StartFrom
	// Kinds to hand over; empty means all.
	Kinds []postroomv1.Change_Kind
	// Mailboxes are resource names or roles; empty means all.
	Mailboxes []string
	// Heartbeat is how long the server stays silent at most, 5 to 60 seconds; 0 or less means [DefaultHeartbeat].
	Heartbeat time.Duration
	// Patience is after how long without any frame the last error is returned; 0 means never. What the handler takes does not
	// count.
	Patience time.Duration
	// OnState is told each change of state once, in order. It may call the watch.
	OnState func(State)
}

// A Watch is an endless reader of changes; made by [Client.Watch], read by [Watch.Changes] or [Watch.Each], by one goroutine
// at a time. Its other methods are safe for concurrent use.
//
// It reconnects by itself from its cursor, hands over each change once, and notices a connection that died without a word. A
// change is finished when the loop asks for the next one: a loop that is left gets the change in hand again when the watch is
// read again. Nothing is open at the server while no loop reads. Close the watch, or end its context, when done.
type Watch struct {
	client   *Client
	ctx      context.Context
	cancel   context.CancelCauseFunc
	request  *postroomv1.WatchChangesRequest
	silence  time.Duration
	patience time.Duration
	progress progress
	reading  atomic.Bool

	// What follows belongs to the goroutine that reads.
	feed     *feed
	seen     *seen
	ahead    string // the position behind a reset that was handed over, until the reader asks on
	failure  error
	last     error
	failures int
	pause    time.Duration
	heard    time.Time
}

// Watch returns a reader of the changes of one account (accounts/{account}) or of all (accounts/-). It connects when it is read,
// and ends with the context.
func (c *Client) Watch(ctx context.Context, parent string, options WatchOptions) *Watch {
	if options.Heartbeat <= 0 {
		options.Heartbeat = DefaultHeartbeat
	}
	ctx, cancel := context.WithCancelCause(ctx)
	made := &Watch{
		client: c, ctx: ctx, cancel: cancel,
		request:  watchRequest(parent, options),
		silence:  time.Duration(silentHeartbeats * float64(options.Heartbeat)),
		patience: options.Patience,
		seen:     newSeen(maxAccounts),
	}
	made.progress.listener = options.OnState
	made.progress.state, made.progress.cursor = StateConnecting, options.Cursor
	return made
}

func watchRequest(parent string, options WatchOptions) *postroomv1.WatchChangesRequest {
	request := &postroomv1.WatchChangesRequest{
		Parent:            parent,
		Kinds:             slices.Clone(options.Kinds),
		Mailboxes:         slices.Clone(options.Mailboxes),
		HeartbeatInterval: durationpb.New(options.Heartbeat),
	}
	start := options.Start
	if start == postroomv1.WatchChangesRequest_START_FROM_UNSPECIFIED {
		start = postroomv1.WatchChangesRequest_NOW
	}
	request.Start = &postroomv1.WatchChangesRequest_StartFrom_{StartFrom: start}
	return request
}

// Changes returns the changes as an endless loop. Leaving the loop ends the call; a later loop goes on after the last finished
// change. Keep change.GetCursor(), best in the same transaction as what the change caused, to go on behind it in a later
// process.
//
// An error is what trying again does not cure, and ends the loop, with one exception: after a [FeedReset] the loop may ask
// on. A closed watch ends the loop without an error, a context that ended with its error.
func (w *Watch) Changes() iter.Seq2[*postroomv1.Change, error] {
	return func(yield func(*postroomv1.Change, error) bool) {
		if !w.reading.CompareAndSwap(false, true) {
			yield(nil, errBusy)
			return
		}
		defer w.reading.Store(false)
		defer w.leave()
		for {
			frame, err := w.next()
			var reset *FeedReset
			switch {
			case err == nil:
				if !yield(frame.GetChange(), nil) {
					return
				}
				w.seen.finish(frame.GetChange())
				w.progress.move(frame.GetCursor())
			case errors.As(err, &reset):
				w.progress.enter(StateReset)
				if !yield(nil, err) {
					return
				}
				w.progress.enter(StateCatchingUp)
			default:
				w.end()
				if !errors.Is(err, errClosed) {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// Each calls the handler with each change until the handler or the watch returns an error, and returns that error; nil once the
// watch is closed. A change is finished when its handler returned nil: after an error, a later Each begins with the same change.
func (w *Watch) Each(handler func(*postroomv1.Change) error) error {
	for change, err := range w.Changes() {
		if err == nil {
			err = handler(change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close ends the watch and, within a moment, the loop that reads it.
func (w *Watch) Close() {
	w.cancel(errClosed)
	w.progress.enter(StateClosed)
}

// Cursor returns the position after the last finished change, or after a later checkpoint.
func (w *Watch) Cursor() string {
	_, cursor, _, _ := w.progress.snapshot()
	return cursor
}

// State returns where the watch stands.
func (w *Watch) State() State {
	if w.over() != nil {
		return StateClosed
	}
	state, _, _, _ := w.progress.snapshot()
	return state
}

// HeadCursor returns the position after the newest change, as of the last checkpoint.
func (w *Watch) HeadCursor() string {
	_, _, head, _ := w.progress.snapshot()
	return head
}

// LagChanges returns how many changes lie between the cursor and the head, as of the last checkpoint.
func (w *Watch) LagChanges() int64 {
	_, _, _, lag := w.progress.snapshot()
	return lag
}

// over returns why the watch cannot go on, once its context, its client or itself was closed.
func (w *Watch) over() error {
	if w.ctx.Err() == nil && w.client.closed.Err() == nil {
		return nil
	}
	if cause := context.Cause(w.ctx); cause != nil && !errors.Is(cause, errClosed) {
		return w.ctx.Err()
	}
	return errClosed
}

// next returns the next frame with a change that was not finished before.
func (w *Watch) next() (*postroomv1.WatchChangesResponse, error) {
	w.progress.move(w.ahead)
	w.ahead = ""
	w.heard, w.last = time.Now(), nil
	for w.failure == nil {
		if err := w.over(); err != nil {
			return nil, err
		}
		frame, err := w.frame()
		if err != nil {
			w.failed(err)
			continue
		}
		if found, err := w.taken(frame); found || err != nil {
			return frame, err
		}
	}
	return nil, w.failure
}

// frame returns the next frame of the stream; without one it waits out its pause and opens another stream.
func (w *Watch) frame() (*postroomv1.WatchChangesResponse, error) {
	if w.feed == nil {
		w.progress.enter(StateConnecting)
		if w.patience > 0 {
			w.pause = min(w.pause, w.patience-time.Since(w.heard))
		}
		if !sleep(w.pause, w.ctx, w.client.closed) {
			return nil, w.over()
		}
		w.pause = 0
		if w.last != nil && w.impatient() {
			return nil, w.last
		}
		w.feed = newFeed(w.ctx, w.client.Changes, w.resumed())
	}
	silence := w.silence
	if w.patience > 0 {
		silence = min(silence, w.patience-time.Since(w.heard))
	}
	frame, err := w.feed.next(silence)
	if err == nil {
		w.heard, w.last = time.Now(), nil
		if state, _, _, _ := w.progress.snapshot(); state == StateConnecting {
			w.progress.enter(StateCatchingUp)
		}
	}
	return frame, err
}

// resumed returns the request of the next stream.
func (w *Watch) resumed() *postroomv1.WatchChangesRequest {
	request := proto.CloneOf(w.request)
	if cursor := w.Cursor(); cursor != "" {
		request.Start = &postroomv1.WatchChangesRequest_Cursor{Cursor: cursor}
	}
	return request
}

// taken says whether a frame is a change to hand over.
func (w *Watch) taken(frame *postroomv1.WatchChangesResponse) (bool, error) {
	switch kind := frame.GetFrame().(type) {
	case *postroomv1.WatchChangesResponse_Change:
		if !w.seen.repeated(kind.Change) {
			return true, nil
		}
		w.progress.move(frame.GetCursor())
	case *postroomv1.WatchChangesResponse_Reset_:
		w.ahead = frame.GetCursor()
		w.seen.clear()
		return false, &FeedReset{kind.Reset_.GetScope(), kind.Reset_.GetReason(), frame.GetCursor()}
	case *postroomv1.WatchChangesResponse_End:
		w.progress.move(frame.GetCursor())
		w.ended(kind.End)
	case *postroomv1.WatchChangesResponse_Checkpoint:
		w.progress.move(frame.GetCursor())
		w.progress.measure(kind.Checkpoint.GetHeadCursor(), kind.Checkpoint.GetLagChanges())
		if kind.Checkpoint.GetLagChanges() == 0 {
			w.progress.enter(StateLive)
		} else {
			w.progress.enter(StateCatchingUp)
		}
	default:
		w.progress.move(frame.GetCursor())
	}
	return false, nil
}

// ended takes the server's word for why a stream ended.
func (w *Watch) ended(end *postroomv1.StreamEnd) {
	if slices.Contains(final, end.GetReason()) {
		w.failure = &WatchEnded{end.GetReason(), w.Cursor()}
		return
	}
	asked := end.GetRetryAfter().AsDuration()
	w.again(between(asked/2, asked))
}

// failed takes an error: it is the last word, or another stream is opened after a pause.
func (w *Watch) failed(err error) {
	if errors.Is(err, errSilent) {
		w.client.connections.closeSilent(w.silence)
	}
	if w.last == nil || !errors.Is(err, errSilent) {
		w.last = err
	}
	switch {
	case w.over() != nil:
	case w.impatient(), slices.Contains(fatal, codeOf(err)):
		w.failure = w.last
	default:
		w.again(retryAfter(err))
	}
}

func (w *Watch) impatient() bool {
	return w.patience > 0 && time.Since(w.heard) >= w.patience
}

// again drops the stream; the next one is opened after the time that was asked for, and not before the pause that grows with
// failures in a row.
func (w *Watch) again(asked time.Duration) {
	if w.feed != nil && w.feed.healthy() {
		w.failures = 0
	}
	w.drop()
	w.progress.enter(StateConnecting)
	most := longest(w.failures)
	w.failures++
	w.pause = max(asked, between(most/2, most))
}

func (w *Watch) drop() {
	if w.feed != nil {
		w.feed.close()
		w.feed = nil
	}
}

// end closes the watch from within its loop.
func (w *Watch) end() {
	w.drop()
	w.Close()
}

// leave lets go of the stream when a loop ends.
func (w *Watch) leave() {
	w.drop()
	if state, _, _, _ := w.progress.snapshot(); state != StateReset {
		w.progress.enter(StateConnecting)
	}
}
