// Send a file as an attachment, follow the submission until the message is on its way, and compare what arrived.
//
// It makes a sandbox account that writes to itself. The request id is what makes sending safe: with the same id the same
// message may be handed over as often as one likes, and is sent once.
//
//	POSTROOM_TOKEN=$(cat .postroom/token) go run -C examples/go ./send_attachment FILE
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"mime"
	"os"
	"path/filepath"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
	"github.com/postroom/postroom/examples/go/internal/local"
)

const arrivesWithin = time.Minute

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: send_attachment FILE")
	}
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	client, err := local.Client()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := run(client, filepath.Base(os.Args[1]), content); err != nil {
		log.Fatal(err)
	}
}

func run(client *postroom.Client, filename string, content []byte) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), arrivesWithin)
	defer cancel()
	account, err := local.Create(ctx, client, local.Sandbox())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.Remove(client, account)) }()
	message := composed(account.GetEmail(), filename, content)
	sent, err := local.Submit(ctx, client, account, message)
	if err != nil {
		return err
	}
	arrived, err := arrival(ctx, client, account, sent, message.GetSubject())
	if err != nil {
		return err
	}
	attachment := arrived.GetAttachments()[0]
	var came bytes.Buffer
	if _, err := client.Download(ctx, attachment.GetName(), &came); err != nil {
		return err
	}
	fmt.Printf("arrived: %s, %s, %d bytes\n", attachment.GetFilename(), attachment.GetContentType(), came.Len())
	if !bytes.Equal(came.Bytes(), content) {
		return errors.New("what arrived is not what was sent")
	}
	return nil
}

// composed is a message with the file.
func composed(to, filename string, content []byte) *v1.ComposedMessage {
	kind, _, _ := mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(filename)))
	return &v1.ComposedMessage{
		To:      []*v1.Address{{Address: to}},
		Subject: "The file " + filename,
		Text:    "You find it attached.",
		Attachments: []*v1.ComposedMessage_OutgoingAttachment{{
			Filename:    filename,
			ContentType: cmp.Or(kind, "application/octet-stream"),
			Body:        &v1.ComposedMessage_OutgoingAttachment_Content{Content: content},
		}},
	}
}

// arrival tells what becomes of the submission and returns the message that arrived.
func arrival(
	ctx context.Context, client *postroom.Client, account *v1.Account, sent *v1.Submission, subject string,
) (*v1.Message, error) {
	watch := client.Watch(ctx, account.GetName(), postroom.WatchOptions{Start: v1.WatchChangesRequest_EARLIEST})
	defer watch.Close()
	for change, err := range watch.Changes() {
		if err != nil {
			return nil, err
		}
		if submission := change.GetSubmissionChanged().GetSubmission(); submission.GetName() == sent.GetName() {
			fmt.Println("submission:", submission.GetState())
		}
		message := change.GetMessageAdded().GetMessage()
		if message.GetSubject() == subject && len(message.GetAttachments()) > 0 {
			return message, nil
		}
	}
	return nil, errors.New("the feed ended")
}
