// Package postroomtest starts a real Postroom for the tests of programs that use one, and gives them sandbox accounts, whose
// mail needs no provider:
//
//	func TestThatMailIsSeen(t *testing.T) {
//		server := postroomtest.Start(t)
//		account := postroomtest.SandboxAccount(t, server.Client(t))
//		...
//	}
//
// The command is that of the environment variable POSTROOM_COMMAND, or else postroom on the PATH. Where there is none, the test
// is skipped; with CI set, it fails.
package postroomtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

const (
	commandVariable = "POSTROOM_COMMAND"
	defaultCommand  = "postroom"
	startTime       = 30 * time.Second
	stopTime        = 15 * time.Second
	probeTime       = 2 * time.Second
	probePause      = 50 * time.Millisecond
	accountTime     = 30 * time.Second
	logBytes        = 4_000
)

// A Server is a Postroom that runs until its test ends.
type Server struct {
	// Address is what postroom.Dial takes.
	Address string
	// URL is where the REST interface is.
	URL string
	// Token is the administrator's.
	Token string
}

// Start starts a Postroom with its data in a folder of the test's own, on a free port of the loopback interface, and waits until
// it answers. It ends, and its data goes, when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	words := command(t)
	folder := temporary(t)
	log, err := os.Create(filepath.Join(folder, "up.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	data := filepath.Join(folder, "data")
	process := exec.Command(words[0], append(words[1:], "up", "--dev", "--data", data, "--port", "0")...)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait(); close(ended) }()
	t.Cleanup(func() { stop(t, process, ended) })
	return wait(t, data, log.Name(), ended)
}

// Client returns a client with the administrator's token, closed when the test ends.
func (s *Server) Client(t testing.TB) *postroom.Client {
	t.Helper()
	client, err := postroom.Dial(s.Address, s.Token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// SandboxAccount creates a sandbox account with an address of its own, waits until it is connected and returns it. It is deleted
// when the test ends.
func SandboxAccount(t testing.TB, client *postroom.Client) *postroomv1.Account {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), accountTime)
	defer cancel()
	id := "test-" + fresh(t)
	created, err := client.Accounts.CreateAccount(ctx, &postroomv1.CreateAccountRequest{
		AccountId: id,
		Account: &postroomv1.Account{
			Email:   id + "@sandbox.test",
			Backend: &postroomv1.Account_Sandbox{Sandbox: &postroomv1.SandboxSettings{}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	name := created.GetAccount().GetName()
	t.Cleanup(func() {
		if _, err := client.Accounts.DeleteAccount(
			context.Background(), &postroomv1.DeleteAccountRequest{Name: name},
		); err != nil {
			t.Errorf("deleting %s: %v", name, err)
		}
	})
	for {
		found, err := client.Accounts.GetAccount(ctx, &postroomv1.GetAccountRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if found.GetAccount().GetState() == postroomv1.Account_CONNECTED {
			return found.GetAccount()
		}
		time.Sleep(probePause)
	}
}

// command returns the words of the command, or skips the test.
func command(t testing.TB) []string {
	t.Helper()
	if words := strings.Fields(os.Getenv(commandVariable)); len(words) > 0 {
		return words
	}
	found, err := exec.LookPath(defaultCommand)
	if err == nil {
		return []string{found}
	}
	const missing = "no Postroom: " + commandVariable + " is not set and " + defaultCommand + " is not on the PATH"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return nil
}

// temporary returns a folder with a short path, as Unix sockets want it.
func temporary(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "postroom-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// wait returns the server once it answers.
func wait(t testing.TB, data, log string, ended <-chan error) *Server {
	t.Helper()
	deadline := time.Now().Add(startTime)
	for time.Now().Before(deadline) {
		select {
		case err := <-ended:
			t.Fatalf("Postroom ended: %v\n%s", err, tail(log))
		case <-time.After(probePause):
		}
		if server := started(data); server != nil {
			return server
		}
	}
	t.Fatalf("Postroom is not ready after %s:\n%s", startTime, tail(log))
	return nil
}

// started returns the server if it is ready.
func started(data string) *Server {
	var up struct {
		Gateway struct {
			URL string `json:"url"`
		} `json:"gateway"`
	}
	text, err := os.ReadFile(filepath.Join(data, "up.json"))
	if err != nil || json.Unmarshal(text, &up) != nil || up.Gateway.URL == "" {
		return nil
	}
	token, err := os.ReadFile(filepath.Join(data, "token"))
	if err != nil {
		return nil
	}
	probe := http.Client{Timeout: probeTime, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := probe.Get(up.Gateway.URL + "/healthz")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil
	}
	return &Server{
		Address: strings.TrimPrefix(up.Gateway.URL, "http://"),
		URL:     up.Gateway.URL,
		Token:   strings.TrimSpace(string(token)),
	}
}

// stop asks the process to end, and ends it if it does not.
func stop(t testing.TB, process *exec.Cmd, ended <-chan error) {
	t.Helper()
	_ = process.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopTime):
		t.Errorf("Postroom did not end within %s", stopTime)
		_ = process.Process.Kill()
		<-ended
	}
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logBytes):])
}

func fresh(t testing.TB) string {
	t.Helper()
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(random)
}
