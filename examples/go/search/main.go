// Find messages: conditions, how a server answered them, and results page by page.
//
// It makes a sandbox account, sends it a few letters and looks for some of them.
//
//	POSTROOM_TOKEN=$(cat .postroom/token) go run -C examples/go ./search [WORD]
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
	"github.com/postroom/postroom/examples/go/internal/local"
)

const arrivesWithin = time.Minute

var subjects = []string{"Invoice 1001", "Lunch on Friday", "Invoice 1002", "Minutes", "Your invoice 1003"}

func main() {
	word := "invoice"
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	client, err := local.Client()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := run(client, word); err != nil {
		log.Fatal(err)
	}
}

func run(client *postroom.Client, word string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), arrivesWithin)
	defer cancel()
	account, err := local.Create(ctx, client, local.Sandbox())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.Remove(client, account)) }()
	for _, subject := range subjects {
		letter := &v1.ComposedMessage{
			To: []*v1.Address{{Address: account.GetEmail()}}, Subject: subject, Text: "Kind regards",
		}
		if _, err := local.Submit(ctx, client, account, letter); err != nil {
			return err
		}
	}
	if err := arrived(ctx, client, account); err != nil {
		return err
	}
	return find(ctx, client, account, word)
}

// arrived returns once every letter is in the account.
func arrived(ctx context.Context, client *postroom.Client, account *v1.Account) error {
	watch := client.Watch(ctx, account.GetName(), postroom.WatchOptions{
		Start:     v1.WatchChangesRequest_EARLIEST,
		Kinds:     []v1.Change_Kind{v1.Change_MESSAGE_ADDED},
		Mailboxes: []string{"inbox"},
	})
	defer watch.Close()
	missing := map[string]bool{}
	for _, subject := range subjects {
		missing[subject] = true
	}
	for change, err := range watch.Changes() {
		if err != nil {
			return err
		}
		if delete(missing, change.GetMessageAdded().GetMessage().GetSubject()); len(missing) == 0 {
			return nil
		}
	}
	return errors.New("the feed ended")
}

// find prints the unread messages of the inbox with a word in their subject.
func find(ctx context.Context, client *postroom.Client, account *v1.Account, word string) error {
	condition := &v1.SearchCondition{Subject: word, NotFlag: "$seen"}
	request := &v1.SearchMessagesRequest{
		Parent:    account.GetName(),
		Mailboxes: []string{"inbox"},
		Filter:    &v1.SearchFilter{Condition: condition},
		PageSize:  2,
	}
	answer, err := client.Messages.SearchMessages(ctx, request)
	if err != nil {
		return err
	}
	for _, one := range answer.GetCoverage() {
		fmt.Printf("%s: answered by %s, complete: %t\n", one.GetCondition(), one.GetAnsweredBy(), one.GetComplete())
	}
	found := 0
	for message, err := range postroom.Pages(
		ctx, client.Messages.SearchMessages, request, (*v1.SearchMessagesResponse).GetMessages,
	) {
		if err != nil {
			return err
		}
		fmt.Println("found:", message.GetSubject())
		found++
	}
	fmt.Println("messages:", found)
	return nil
}
