package postroom

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

func TestAnAddressSaysHowToConnect(t *testing.T) {
	for _, given := range []struct {
		address    string
		configured bool
		target     string
		secure     bool
	}{
		{"127.0.0.1:8080", false, "127.0.0.1:8080", false},
		{"localhost:8080", false, "localhost:8080", false},
		{"[::1]:8080", false, "[::1]:8080", false},
		{"127.9.9.9:8080", false, "127.9.9.9:8080", false},
		{"localhost", false, "localhost:80", false},
		{"mail.example", false, "mail.example:443", true},
		{"HTTPS://mail.example/", false, "mail.example:443", true},
		{"127.0.0.1:8080", true, "127.0.0.1:8080", true},
		{"mail.example:443", false, "mail.example:443", true},
		{"10.0.0.1:8080", false, "10.0.0.1:8080", true},
		{"http://mail.example:8080", false, "mail.example:8080", false},
		{"http://mail.example/", true, "mail.example:80", false},
		{"https://mail.example", false, "mail.example:443", true},
		{"https://127.0.0.1:8443/", false, "127.0.0.1:8443", true},
		{"https://[2001:db8::1]", false, "[2001:db8::1]:443", true},
		{"unix:///run/postroom.sock", true, "unix:///run/postroom.sock", false},
	} {
		target, secure, err := resolve(given.address, given.configured)
		if target != given.target || secure != given.secure || err != nil {
			t.Errorf("%s: %s, %v, %v", given.address, target, secure, err)
		}
	}
	for _, address := range []string{
		"", "ftp://mail.example", "https://", "https://mail.example/mail", "mail.example:port", "mail.example:70000",
		"https://ann:secret-canary@mail.example",
	} {
		if _, err := Dial(address, "secret"); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestATokenThatNoHeaderCarriesIsRefusedAndNotShown(t *testing.T) {
	for _, token := range []string{"secret-canary\n", "secret\r\ncanary", "secret-cänäry"} {
		if _, err := Dial("127.0.0.1:1", token); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func listen(t *testing.T, listener net.Listener, options ...grpc.ServerOption) {
	t.Helper()
	server, ended := grpc.NewServer(options...), make(chan struct{})
	v1.RegisterAccountServiceServer(server, &fakeServices{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
}

func TestAUnixSocketIsAnAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	listen(t, listener)
	if err := get(within(t), dial(t, "unix://"+path)); err != nil {
		t.Error(err)
	}
}

func TestTLSIsConfiguredByAnOption(t *testing.T) {
	certificate := selfSigned(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen(t, listener, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	if err := get(within(t), dial(t, listener.Addr().String(), WithTLS(&tls.Config{RootCAs: roots}))); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	equal(t, "a stranger's certificate", codeOf(get(ctx, dial(t, "https://"+listener.Addr().String()))), codes.Unavailable)
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(made)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key, Leaf: leaf}
}

func TestFurtherDialOptionsWin(t *testing.T) {
	refused := errors.New("refused")
	refuse := func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
		return refused
	}
	client := dial(t, "127.0.0.1:1", WithDialOptions(grpc.WithChainUnaryInterceptor(refuse)))
	if err := get(within(t), client); status.Convert(err).Message() != "refused" {
		t.Errorf("got %v", err)
	}
}

func TestPagesGoThroughAllOfThem(t *testing.T) {
	fake, client := services(t)
	request := &v1.ListAccountsRequest{PageSize: 2}
	rows := (*v1.ListAccountsResponse).GetAccounts
	var names string
	for account, err := range Pages(within(t), client.Accounts.ListAccounts, request, rows) {
		if err != nil {
			t.Fatal(err)
		}
		names += account.GetName() + " "
	}
	equal(t, "rows", names, "accounts/a accounts/b accounts/c ")
	equal(t, "the caller's request", request.GetPageToken(), "")
	for range Pages(within(t), client.Accounts.ListAccounts, request, rows) {
		break
	}
	equal(t, "calls", fake.calls, 4)
	fake.refusals = []error{nil, refusal(codes.PermissionDenied, "SCOPE_DENIED", 0)}
	found, last := 0, error(nil)
	for _, err := range Pages(within(t), client.Accounts.ListAccounts, request, rows) {
		found, last = found+1, err
	}
	equal(t, "rows and an error", found, 3)
	equal(t, "error", errors.Is(last, Reason(v1.ErrorReason_SCOPE_DENIED)), true)
}
