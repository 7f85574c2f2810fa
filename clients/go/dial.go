package postroom

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	// MaxMessageBytes bounds a single message in either direction; the server takes 36 MiB.
	MaxMessageBytes = 40 << 20
	// StreamWindowBytes is the flow-control window of one stream: what a reader that pauses leaves unread at most.
	StreamWindowBytes = 1 << 20
	// ConnectionWindowBytes is the window of the whole connection. gRPC returns it as bytes arrive, whether or not their
	// stream is read, so a watch that pauses holds up no other call.
	ConnectionWindowBytes = 16 << 20

	keepaliveTime      = 30 * time.Second
	keepaliveTimeout   = 10 * time.Second
	connectFirstPause  = 100 * time.Millisecond
	connectLastPause   = time.Second
	connectMultiplier  = 1.6
	connectJitter      = 0.2
	connectMinimumTime = 5 * time.Second

	userAgent = "postroom-go/" + Version
)

// Version is the version of this client.
const Version = "0.1.0"

var (
	errAddress = errors.New("postroom: the address is none of host:port, http://host:port, https://host:port and unix:///path")
	errToken   = errors.New("postroom: the token holds a character that no header may hold, such as the end of a line")
)

// An Option changes how [Dial] connects.
type Option func(*settings)

type settings struct {
	tls     *tls.Config
	dialing []grpc.DialOption
}

// WithTLS connects by TLS with this configuration, for other roots or a client certificate. An address that begins with
// http:// or unix: stays plain.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) { s.tls = config }
}

// WithDialOptions passes further options to gRPC; they win over the client's own.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dialing = append(s.dialing, options...) }
}

// Dial opens a client of the server at address; it connects with the first call.
//
// The address is host:port, http://host:port, https://host:port or unix:///path. Without a scheme, loopback is plain and
// everything else is TLS, so that a token never travels in clear by accident; without a port it is 80 or, by TLS, 443. The token
// is the bearer token of every call; one that no header can carry, such as one with the end of its line, is an error.
//
// A call whose context has no deadline gets the default one of its method. One that may be made twice is made again within
// its deadline while no node can take it (code UNAVAILABLE, unless the reason speaks of the provider).
func Dial(address, token string, options ...Option) (*Client, error) {
	var chosen settings
	for _, option := range options {
		option(&chosen)
	}
	target, secure, err := resolve(address, chosen.tls != nil)
	if err != nil {
		return nil, err
	}
	if !fitsHeader(token) {
		return nil, errToken
	}
	transport := insecure.NewCredentials()
	if secure {
		transport = credentials.NewTLS(chosen.tls)
	}
	open := newConnections()
	common := dialOptions(token, &listening{transport, open})
	channel, err := grpc.NewClient(target, append(common, chosen.dialing...)...)
	if err != nil {
		return nil, err
	}
	return newClient(channel, open), nil
}

func dialOptions(token string, transport credentials.TransportCredentials) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithChainUnaryInterceptor(callUnary),
		grpc.WithChainStreamInterceptor(callStream),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessageBytes),
			grpc.MaxCallSendMsgSize(MaxMessageBytes),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                keepaliveTime,
			Timeout:             keepaliveTimeout,
			PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  connectFirstPause,
				Multiplier: connectMultiplier,
				Jitter:     connectJitter,
				MaxDelay:   connectLastPause,
			},
			MinConnectTimeout: connectMinimumTime,
		}),
		grpc.WithStaticStreamWindowSize(StreamWindowBytes),
		grpc.WithStaticConnWindowSize(ConnectionWindowBytes),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent(userAgent),
	}
	if token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(token)))
	}
	return options
}

// resolve returns gRPC's target of an address, and whether to connect by TLS. Without a port it is 80 or, by TLS, 443.
func resolve(address string, configured bool) (target string, secure bool, err error) {
	if strings.HasPrefix(address, "unix:") {
		return address, false, nil
	}
	whole := address
	if !strings.Contains(address, "://") {
		whole = "//" + address
	}
	parts, err := url.Parse(whole)
	if err != nil || parts.Hostname() == "" || parts.User != nil || strings.Trim(parts.Path, "/")+parts.RawQuery+parts.Fragment != "" {
		return "", false, errAddress
	}
	port := "80"
	switch parts.Scheme {
	case "http":
	case "https":
		secure = true
	case "":
		secure = configured || !isLoopback(parts.Hostname())
	default:
		return "", false, errAddress
	}
	if secure {
		port = "443"
	}
	if port = cmp.Or(parts.Port(), port); !isPort(port) {
		return "", false, errAddress
	}
	return net.JoinHostPort(parts.Hostname(), port), secure, nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// fitsHeader tells whether a header can carry a token: printable ASCII and nothing else.
func fitsHeader(token string) bool {
	return !strings.ContainsFunc(token, func(one rune) bool { return one < ' ' || one > '~' })
}
