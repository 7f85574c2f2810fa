// Package client_test speaks the contract through the gateway: run by tests/clients, which starts a Postroom and sets the
// environment.
package client_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

const patience = 30 * time.Second

func connect(t *testing.T) (*grpc.ClientConn, context.Context) {
	t.Helper()
	address, token := os.Getenv("POSTROOM_ADDRESS"), os.Getenv("POSTROOM_TOKEN")
	if address == "" || token == "" {
		t.Skip("POSTROOM_ADDRESS and POSTROOM_TOKEN name no running Postroom")
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return connection, metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func fresh(t *testing.T) string {
	t.Helper()
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	return "go-" + hex.EncodeToString(random)
}

func TestAMessageSentComesBackThroughTheWatch(t *testing.T) {
	connection, ctx := connect(t)
	id := fresh(t)
	parent, address := "accounts/"+id, id+"@sandbox.test"
	account := &postroomv1.Account{
		Email:   address,
		Backend: &postroomv1.Account_Sandbox{Sandbox: &postroomv1.SandboxSettings{}},
	}
	accounts := postroomv1.NewAccountServiceClient(connection)
	if _, err := accounts.CreateAccount(ctx, &postroomv1.CreateAccountRequest{AccountId: id, Account: account}); err != nil {
		t.Fatal(err)
	}
	composed := &postroomv1.ComposedMessage{
		To: []*postroomv1.Address{{Address: address}}, Subject: "Hello from Go", Text: "Hello.",
	}
	submission := &postroomv1.Submission{Content: &postroomv1.Submission_Composed{Composed: composed}}
	request := &postroomv1.SubmitMessageRequest{Parent: parent, RequestId: id, Submission: submission}
	if _, err := postroomv1.NewSubmissionServiceClient(connection).SubmitMessage(ctx, request); err != nil {
		t.Fatal(err)
	}
	start := &postroomv1.WatchChangesRequest_StartFrom_{StartFrom: postroomv1.WatchChangesRequest_EARLIEST}
	watch := &postroomv1.WatchChangesRequest{Parent: parent, Start: start}
	stream, err := postroomv1.NewChangeServiceClient(connection).WatchChanges(ctx, watch)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if added := frame.GetChange().GetMessageAdded(); added != nil {
			if subject := added.GetMessage().GetSubject(); subject != "Hello from Go" {
				t.Fatalf("subject %q", subject)
			}
			return
		}
	}
}

func TestAnAccountThatIsNotThereIsNotFoundWithItsReason(t *testing.T) {
	connection, ctx := connect(t)
	_, err := postroomv1.NewAccountServiceClient(connection).GetAccount(ctx, &postroomv1.GetAccountRequest{Name: "accounts/nobody"})
	if status.Code(err) != codes.NotFound {
		t.Fatalf("code %v", status.Code(err))
	}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() == "ACCOUNT_NOT_FOUND" {
			return
		}
	}
	t.Fatalf("no ErrorInfo in %v", err)
}
