package postroom

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// connections are the open connections of a client and when each was last heard. A half-open connection raises no error; a
// watch that finds its stream silent has it closed here, so that the next stream opens another one, long before a keepalive
// would.
type connections struct {
	mutex sync.Mutex
	open  map[*connection]struct{}
}

func newConnections() *connections {
	return &connections{open: make(map[*connection]struct{})}
}

// closeSilent closes the connections that were not heard for so long.
func (c *connections) closeSilent(silence time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for one := range c.open {
		if time.Since(*one.heard.Load()) >= silence {
			_ = one.Conn.Close()
		}
	}
}

func (c *connections) add(raw net.Conn) *connection {
	made, now := &connection{Conn: raw, all: c}, time.Now()
	made.heard.Store(&now)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.open[made] = struct{}{}
	return made
}

func (c *connections) remove(one *connection) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.open, one)
}

// connection notes when it is heard.
type connection struct {
	net.Conn
	all   *connections
	heard atomic.Pointer[time.Time]
}

// Read reads and notes the time.
func (c *connection) Read(buffer []byte) (int, error) {
	size, err := c.Conn.Read(buffer)
	if size > 0 {
		now := time.Now()
		c.heard.Store(&now)
	}
	return size, err
}

// Close closes the connection.
func (c *connection) Close() error {
	c.all.remove(c)
	return c.Conn.Close()
}

// listening is transport credentials whose connections note when they are heard.
type listening struct {
	credentials.TransportCredentials
	all *connections
}

// ClientHandshake makes the handshake over a connection that is noted.
func (l *listening) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	made := l.all.add(raw)
	secured, info, err := l.TransportCredentials.ClientHandshake(ctx, authority, made)
	if err != nil {
		l.all.remove(made)
	}
	return secured, info, err
}

// Clone returns a copy over the same connections.
func (l *listening) Clone() credentials.TransportCredentials {
	return &listening{l.TransportCredentials.Clone(), l.all}
}
