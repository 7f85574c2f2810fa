package postroom

import "sync"

// A State says where a watch stands.
type State string

const (
	// StateConnecting: there is no stream, or a pause before the next one.
	StateConnecting State = "connecting"
	// StateCatchingUp: a stream is open and not at the head yet.
	StateCatchingUp State = "catching_up"
	// StateLive: a checkpoint said that nothing lies between the reader and the head.
	StateLive State = "live"
	// StateReset: a [FeedReset] was handed over, and the reader has not asked on yet.
	StateReset State = "reset"
	// StateClosed: the watch is over.
	StateClosed State = "closed"
)

// progress is what a watch shows of itself. It tells a listener each change of state once and in order, without a lock held,
// so that the listener may call the watch.
type progress struct {
	listener func(State)

	mutex   sync.Mutex
	state   State
	cursor  string
	head    string
	lag     int64
	untold  []State
	telling bool
}

func (p *progress) enter(state State) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.state == state || p.state == StateClosed {
		return
	}
	p.state = state
	if p.listener == nil {
		return
	}
	p.untold = append(p.untold, state)
	if !p.telling {
		p.tell()
	}
}

// tell calls the listener with what it was not told yet. The mutex is held at the beginning and at the end.
func (p *progress) tell() {
	p.telling = true
	defer func() { p.telling = false }()
	for len(p.untold) > 0 {
		next := p.untold[0]
		p.untold = p.untold[1:]
		p.mutex.Unlock()
		func() {
			defer p.mutex.Lock()
			p.listener(next)
		}()
	}
}

func (p *progress) move(cursor string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if cursor != "" {
		p.cursor = cursor
	}
}

func (p *progress) measure(head string, lag int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.head, p.lag = head, lag
}

// snapshot returns what the watch shows at this moment.
func (p *progress) snapshot() (state State, cursor, head string, lag int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.state, p.cursor, p.head, p.lag
}
