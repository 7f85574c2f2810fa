// Package local is what the examples have in common: the way to the server, and accounts to play with.
package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"os"
	"strings"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// Client returns a client of the server at POSTROOM_ADDRESS (127.0.0.1:8080 if unset), with the token POSTROOM_TOKEN or else that
// of `make run` in this folder.
func Client() (*postroom.Client, error) {
	address := cmp.Or(os.Getenv("POSTROOM_ADDRESS"), "127.0.0.1:8080")
	token := os.Getenv("POSTROOM_TOKEN")
	if token == "" {
		text, err := os.ReadFile(".postroom/token")
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(text))
	}
	return postroom.Dial(address, token)
}

// Create registers an account; remove it with [Remove].
func Create(ctx context.Context, client *postroom.Client, account *v1.Account) (*v1.Account, error) {
	made, err := client.Accounts.CreateAccount(ctx, &v1.CreateAccountRequest{Account: account})
	return made.GetAccount(), err
}

// Remove removes an account.
func Remove(client *postroom.Client, account *v1.Account) error {
	_, err := client.Accounts.DeleteAccount(context.Background(), &v1.DeleteAccountRequest{Name: account.GetName()})
	return err
}

// Sandbox describes an account that needs no provider, with an address of its own.
func Sandbox() *v1.Account {
	return &v1.Account{
		Email:   "ada-" + strings.ToLower(rand.Text()[:8]) + "@sandbox.test",
		Backend: &v1.Account_Sandbox{Sandbox: &v1.SandboxSettings{}},
	}
}

// Submit hands a message over for sending. The request id makes it safe to ask again: it is sent once.
func Submit(
	ctx context.Context, client *postroom.Client, account *v1.Account, message *v1.ComposedMessage,
) (*v1.Submission, error) {
	answer, err := client.Submissions.SubmitMessage(ctx, &v1.SubmitMessageRequest{
		Parent:     account.GetName(),
		Submission: &v1.Submission{Content: &v1.Submission_Composed{Composed: message}},
		RequestId:  rand.Text(),
	})
	return answer.GetSubmission(), err
}
