package postroomtest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
	"github.com/postroom/postroom/clients/go/postroomtest"
)

func TestAServerOfTheTestsOwnHasAnAccountThatIsConnected(t *testing.T) {
	server := postroomtest.Start(t)
	if server.URL != "http://"+server.Address || !strings.HasPrefix(server.Token, "prm_") {
		t.Errorf("server: %s, %s", server.URL, server.Address)
	}
	client := server.Client(t)
	account := postroomtest.SandboxAccount(t, client)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	watch := client.Watch(ctx, account.GetName(), postroom.WatchOptions{Start: v1.WatchChangesRequest_EARLIEST})
	for change, err := range watch.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if change.GetAccountStateChanged().GetState() == v1.Account_CONNECTED {
			return
		}
	}
}
