// Package postroom is the Go client of Postroom: typed calls, errors by reason, and a feed of changes that goes on where it
// stopped.
//
//	client, err := postroom.Dial("127.0.0.1:8080", token)
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	watch := client.Watch(ctx, "accounts/ada", postroom.WatchOptions{Cursor: stored})
//	for change, err := range watch.Changes() {
//		if err != nil {
//			return err
//		}
//		fmt.Println(postroom.KindOf(change), change.GetCursor())
//	}
//
// Requests and answers are the generated messages of postroom.v1, in the package
// github.com/postroom/postroom/clients/go/postroom/v1; the services of the contract are fields of [Client]. The package adds
// what single calls do not give: default deadlines and safe repeats ([Dial]), errors by reason ([Error]), an endless reader
// of changes ([Watch]), listings as loops ([Pages]), downloads that are whole or an error ([Client.Download]) and uploads
// ([Client.Upload]). It refuses to hide the contract and to store anything: a cursor belongs to the caller.
package postroom
