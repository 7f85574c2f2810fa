// Register an account, send it a message, see it arrive, read it.
//
// It needs a running server (make run) and its token, and makes a sandbox account of its own. With IMAP_HOST, IMAP_USER,
// IMAP_PASSWORD and SMTP_HOST in the environment it uses that account in its place, and sends one message to itself.
//
//	POSTROOM_TOKEN=$(cat .postroom/token) go run -C examples/go ./quickstart
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
	"github.com/postroom/postroom/examples/go/internal/local"
)

const arrivesWithin = time.Minute

func main() {
	client, err := local.Client()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := run(client); err != nil {
		log.Fatal(err)
	}
}

func run(client *postroom.Client) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), arrivesWithin)
	defer cancel()
	account, err := local.Create(ctx, client, settings())
	if err != nil {
		return err
	}
	fmt.Println("registered:", account.GetName())
	defer func() {
		err = errors.Join(err, local.Remove(client, account))
		fmt.Println("removed:", account.GetName())
	}()
	subject := "Hello " + rand.Text()[:8]
	sent, err := local.Submit(ctx, client, account, &v1.ComposedMessage{
		To: []*v1.Address{{Address: account.GetEmail()}}, Subject: subject, Text: "Sent by examples/go/quickstart.",
	})
	if err != nil {
		return err
	}
	fmt.Println("accepted:", sent.GetName())
	name, err := arrival(ctx, client, account, subject)
	if err != nil {
		return err
	}
	return read(ctx, client, account, name)
}

// settings is the account to register: your own by environment, else a sandbox.
func settings() *v1.Account {
	host, user, password := os.Getenv("IMAP_HOST"), os.Getenv("IMAP_USER"), os.Getenv("IMAP_PASSWORD")
	if host == "" {
		return local.Sandbox()
	}
	return &v1.Account{
		Email: user,
		Imap:  &v1.MailServer{Host: host, Username: user, Password: password},
		Smtp:  &v1.MailServer{Host: os.Getenv("SMTP_HOST"), Username: user, Password: password},
	}
}

// arrival returns the name of the message with this subject, once the feed has it.
func arrival(ctx context.Context, client *postroom.Client, account *v1.Account, subject string) (string, error) {
	watch := client.Watch(ctx, account.GetName(), postroom.WatchOptions{Start: v1.WatchChangesRequest_EARLIEST})
	defer watch.Close()
	for change, err := range watch.Changes() {
		if err != nil {
			return "", err
		}
		fmt.Println("change:", postroom.KindOf(change))
		if message := change.GetMessageAdded().GetMessage(); message.GetSubject() == subject {
			fmt.Println("the feed goes on from here, also tomorrow:", change.GetCursor()[:16]+"…")
			return message.GetName(), nil
		}
	}
	return "", errors.New("the feed ended")
}

// read shows a message, marks it as read and downloads it.
func read(ctx context.Context, client *postroom.Client, account *v1.Account, name string) error {
	found, err := client.Messages.GetMessage(ctx, &v1.GetMessageRequest{Name: name})
	if err != nil {
		return err
	}
	fmt.Println("text:", strings.TrimSpace(found.GetMessage().GetText()))
	if _, err := client.Messages.ModifyMessages(ctx, &v1.ModifyMessagesRequest{
		Parent: account.GetName(), Names: []string{name}, AddFlags: []string{"$seen"},
	}); err != nil {
		return err
	}
	size, err := client.Download(ctx, name, io.Discard)
	if err != nil {
		return err
	}
	fmt.Println("raw message:", size, "bytes")
	return nil
}
