// Command puppet does what lines on its standard input say, through the client's public API, and answers on its standard
// output: one JSON object a line. The scenarios that all clients have to pass drive it. The end of its input ends it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	postroom "github.com/postroom/postroom/clients/go"
)

const maxLineBytes = 64 << 20

// command is one line of input; each act reads the fields that it knows.
type command struct {
	ID        int64           `json:"id"`
	Do        string          `json:"do"`
	Client    string          `json:"client"`
	Of        int64           `json:"of"`
	Address   string          `json:"address"`
	Token     string          `json:"token"`
	Method    string          `json:"method"`
	Request   json.RawMessage `json:"request"`
	Seconds   float64         `json:"seconds"`
	Callers   int             `json:"callers"`
	Name      string          `json:"name"`
	Parent    string          `json:"parent"`
	Path      string          `json:"path"`
	RequestID string          `json:"requestId"`
	Count     int             `json:"count"`
	Watch     string          `json:"watch"`
	Cursor    string          `json:"cursor"`
	Start     string          `json:"start"`
	Kinds     []string        `json:"kinds"`
	Mailboxes []string        `json:"mailboxes"`
	Heartbeat float64         `json:"heartbeat"`
	Patience  float64         `json:"patience"`
	Pause     float64         `json:"pause"`
	FailAt    int             `json:"fail_at"`
	Quiet     bool            `json:"quiet"`
}

type object map[string]any

// puppet holds what lives between commands.
type puppet struct {
	running sync.WaitGroup

	mutex   sync.Mutex
	clients map[string]*postroom.Client
	watches map[string]*reader
	cancels map[int64]context.CancelFunc

	writing sync.Mutex
	output  *bufio.Writer
}

// acts that take no time are done in the order of the input; the others run beside one another.
var acts = map[string]struct {
	act    func(*puppet, context.Context, command) (any, error)
	beside bool
}{
	"connect":     {(*puppet).connect, false},
	"close":       {(*puppet).close, true},
	"cancel":      {(*puppet).cancelOther, false},
	"call":        {(*puppet).call, true},
	"pages":       {(*puppet).pages, true},
	"download":    {(*puppet).download, true},
	"upload":      {(*puppet).upload, true},
	"watch":       {(*puppet).watch, false},
	"look":        {(*puppet).look, false},
	"stop":        {(*puppet).stop, true},
	"stats":       {(*puppet).stats, false},
	"bench":       {(*puppet).bench, true},
	"bench_watch": {(*puppet).benchWatch, true},
}

func main() {
	made := &puppet{
		clients: map[string]*postroom.Client{},
		watches: map[string]*reader{},
		cancels: map[int64]context.CancelFunc{},
		output:  bufio.NewWriter(os.Stdout),
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		made.obey(lines.Bytes())
	}
	made.end()
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (p *puppet) obey(line []byte) {
	var wanted command
	if err := json.Unmarshal(line, &wanted); err != nil {
		p.answer(wanted.ID, nil, fmt.Errorf("not a command: %w", err))
		return
	}
	known, ok := acts[wanted.Do]
	if !ok {
		p.answer(wanted.ID, nil, fmt.Errorf("unknown command %q", wanted.Do))
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.mutex.Lock()
	p.cancels[wanted.ID] = cancel
	p.mutex.Unlock()
	run := func() {
		defer p.forget(wanted.ID)
		found, err := known.act(p, ctx, wanted)
		p.answer(wanted.ID, found, err)
	}
	if known.beside {
		p.beside(run)
	} else {
		run()
	}
}

// beside runs an act beside the others; the end waits for it.
func (p *puppet) beside(act func()) {
	p.running.Add(1)
	go func() {
		defer p.running.Done()
		act()
	}()
}

func (p *puppet) forget(id int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cancels[id]()
	delete(p.cancels, id)
}

// end cancels and closes everything and waits for it.
func (p *puppet) end() {
	p.mutex.Lock()
	for _, cancel := range p.cancels {
		cancel()
	}
	watches, clients := slices.Collect(maps.Values(p.watches)), slices.Collect(maps.Values(p.clients))
	p.mutex.Unlock()
	for _, one := range watches {
		one.end()
	}
	for _, one := range clients {
		_ = one.Close()
	}
	p.running.Wait()
}

func (p *puppet) answer(id int64, found any, err error) {
	if err != nil {
		p.write(object{"id": id, "error": told(err)})
		return
	}
	p.write(object{"id": id, "ok": found})
}

func (p *puppet) write(line any) {
	p.writing.Lock()
	defer p.writing.Unlock()
	encoder := json.NewEncoder(p.output)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = p.output.Flush()
}

func (p *puppet) connect(_ context.Context, wanted command) (any, error) {
	client, err := postroom.Dial(wanted.Address, wanted.Token)
	if err != nil {
		return nil, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.clients[wanted.Client] = client
	return object{}, nil
}

func (p *puppet) close(_ context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	p.mutex.Lock()
	delete(p.clients, wanted.Client)
	p.mutex.Unlock()
	return object{}, client.Close()
}

func (p *puppet) cancelOther(_ context.Context, wanted command) (any, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if cancel, ok := p.cancels[wanted.Of]; ok {
		cancel()
	}
	return object{}, nil
}

func (p *puppet) client(wanted command) (*postroom.Client, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	client, ok := p.clients[wanted.Client]
	if !ok {
		return nil, fmt.Errorf("no client %q", wanted.Client)
	}
	return client, nil
}
