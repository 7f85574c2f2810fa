package postroom_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
	"github.com/postroom/postroom/clients/go/postroomtest"
)

const liveTime = 30 * time.Second

// live returns a client of the Postroom that the environment names, and a sandbox account.
func live(t *testing.T) (context.Context, *postroom.Client, *v1.Account) {
	t.Helper()
	address, token := os.Getenv("POSTROOM_ADDRESS"), os.Getenv("POSTROOM_TOKEN")
	if address == "" || token == "" {
		t.Skip("POSTROOM_ADDRESS and POSTROOM_TOKEN name no running Postroom")
	}
	client, err := postroom.Dial(address, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), liveTime)
	t.Cleanup(cancel)
	return ctx, client, postroomtest.SandboxAccount(t, client)
}

func submit(ctx context.Context, t *testing.T, client *postroom.Client, account *v1.Account, subject string) {
	t.Helper()
	composed := &v1.ComposedMessage{
		To: []*v1.Address{{Address: account.GetEmail()}}, Subject: subject, Text: "Hello.",
	}
	request := &v1.SubmitMessageRequest{
		Parent: account.GetName(), RequestId: rand.Text(),
		Submission: &v1.Submission{Content: &v1.Submission_Composed{Composed: composed}},
	}
	if _, err := client.Submissions.SubmitMessage(ctx, request); err != nil {
		t.Fatal(err)
	}
}

// arrival returns the name of the message with a subject, once it is in the feed.
func arrival(t *testing.T, watch *postroom.Watch, subject string) string {
	t.Helper()
	for change, err := range watch.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if message := change.GetMessageAdded().GetMessage(); message.GetSubject() == subject {
			return message.GetName()
		}
	}
	t.Fatal("the watch ended")
	return ""
}

func TestAMessageSentComesBackThroughTheWatch(t *testing.T) {
	ctx, client, account := live(t)
	var told []postroom.State
	watch := client.Watch(ctx, account.GetName(), postroom.WatchOptions{
		Start:   v1.WatchChangesRequest_EARLIEST,
		OnState: func(state postroom.State) { told = append(told, state) },
	})
	submit(ctx, t, client, account, "Hello from Go")
	arrival(t, watch, "Hello from Go")
	watch.Close()
	if !slices.Contains(told, postroom.StateCatchingUp) || told[len(told)-1] != postroom.StateClosed {
		t.Errorf("states: %v", told)
	}
}

func TestARawMessageIsUploadedAndDownloadedWhole(t *testing.T) {
	ctx, client, account := live(t)
	raw := fmt.Appendf(nil, "From: %[1]s\r\nTo: %[1]s\r\nSubject: Parcel\r\n\r\n", account.GetEmail())
	raw = append(raw, bytes.Repeat([]byte("0123456789\r\n"), 200_000)...)
	upload := func() string {
		made, err := client.Upload(ctx, account.GetName(), bytes.NewReader(raw), postroom.UploadOptions{RequestID: "parcel"})
		if err != nil {
			t.Fatal(err)
		}
		return made.GetName()
	}
	if first, again := upload(), upload(); first != again {
		t.Errorf("one request id, two submissions: %s, %s", first, again)
	}
	watch := client.Watch(ctx, account.GetName(), postroom.WatchOptions{Start: v1.WatchChangesRequest_EARLIEST})
	defer watch.Close()
	var target bytes.Buffer
	size, err := client.Download(ctx, arrival(t, watch, "Parcel"), &target)
	if err != nil || size < int64(len(raw)) || !bytes.Contains(target.Bytes(), raw[len(raw)-2_000_000:]) {
		t.Errorf("%d bytes, %v", size, err)
	}
}

func TestAListingIsReadPageByPage(t *testing.T) {
	ctx, client, account := live(t)
	postroomtest.SandboxAccount(t, client)
	var names []string
	request, rows := &v1.ListAccountsRequest{PageSize: 1}, (*v1.ListAccountsResponse).GetAccounts
	for row, err := range postroom.Pages(ctx, client.Accounts.ListAccounts, request, rows) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, row.GetName())
	}
	if !slices.Contains(names, account.GetName()) || len(names) < 2 {
		t.Errorf("rows: %v", names)
	}
}

func TestAnAccountThatIsNotThereIsNotFoundWithItsReason(t *testing.T) {
	ctx, client, _ := live(t)
	_, err := client.Accounts.GetAccount(ctx, &v1.GetAccountRequest{Name: "accounts/nobody"})
	var failed *postroom.Error
	if !errors.Is(err, postroom.Reason(v1.ErrorReason_ACCOUNT_NOT_FOUND)) || !errors.As(err, &failed) {
		t.Fatalf("got %v", err)
	}
	if failed.Metadata["account"] != "accounts/nobody" {
		t.Errorf("metadata: %v", failed.Metadata)
	}
}
