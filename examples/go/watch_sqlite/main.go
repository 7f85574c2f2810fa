// Count the messages that arrive, each exactly once, whatever is killed in between.
//
// The effect of a change and the place behind it are written in one transaction. A program that dies before the commit has
// done neither, and does both when it is started again; one that dies after it goes on with the next change.
//
//	POSTROOM_TOKEN=$(cat .postroom/token) go run -C examples/go ./watch_sqlite counts.db accounts/ada
//	sqlite3 examples/go/counts.db 'SELECT * FROM arrivals'
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
	"github.com/postroom/postroom/examples/go/internal/local"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: watch_sqlite DATABASE [accounts/ACCOUNT]")
	}
	feed := "accounts/-"
	if len(os.Args) > 2 {
		feed = os.Args[2]
	}
	counts, err := open(os.Args[1], feed)
	if err != nil {
		log.Fatal(err)
	}
	defer counts.Close()
	client, err := local.Client()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := follow(ctx, client, counts); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// follow counts until the feed is over.
func follow(ctx context.Context, client *postroom.Client, counts *counts) error {
	for {
		cursor, err := counts.place()
		if err != nil {
			return err
		}
		watch := client.Watch(ctx, counts.feed, postroom.WatchOptions{
			Cursor:  cursor,
			Start:   v1.WatchChangesRequest_EARLIEST,
			OnState: func(state postroom.State) { fmt.Println("watch:", state) },
		})
		err = count(watch, counts)
		watch.Close()
		var ended *postroom.WatchEnded
		var failed *postroom.Error
		switch {
		case errors.As(err, &ended):
			fmt.Println("the feed is over:", ended.Why)
			return nil
		case errors.Is(err, postroom.Reason(v1.ErrorReason_CURSOR_EXPIRED)) && errors.As(err, &failed):
			if err := counts.gap(counts.feed, failed.Told, failed.Metadata["earliestCursor"]); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// count takes every change of a watch until it fails.
func count(watch *postroom.Watch, counts *counts) error {
	for change, err := range watch.Changes() {
		var reset *postroom.FeedReset
		switch {
		case errors.As(err, &reset):
			err = counts.gap(reset.Scope, reset.Why.String(), reset.Cursor)
		case err == nil:
			err = counts.take(change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
