package postroom

import (
	"context"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Listing is the answer of a method that lists: rows, and a token for the next page.
type Listing interface {
	proto.Message
	GetNextPageToken() string
}

// Pages returns every row of a listing, page by page; the next page is asked for when the loop gets there. The last argument
// says where the rows are in an answer:
//
//	request := &postroomv1.ListAccountsRequest{PageSize: 200}
//	rows := (*postroomv1.ListAccountsResponse).GetAccounts
//	for account, err := range postroom.Pages(ctx, client.Accounts.ListAccounts, request, rows) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(account.GetName())
//	}
//
// The request is not changed. An error ends the loop.
func Pages[Request proto.Message, Answer Listing, Row any](
	ctx context.Context,
	method func(context.Context, Request, ...grpc.CallOption) (Answer, error),
	request Request,
	rows func(Answer) []Row,
) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		wanted := proto.CloneOf(request)
		for {
			answer, err := method(ctx, wanted)
			if err != nil {
				var none Row
				yield(none, err)
				return
			}
			for _, row := range rows(answer) {
				if !yield(row, nil) {
					return
				}
			}
			if answer.GetNextPageToken() == "" {
				return
			}
			setPageToken(wanted, answer.GetNextPageToken())
		}
	}
}

func setPageToken(request proto.Message, token string) {
	message := request.ProtoReflect()
	message.Set(message.Descriptor().Fields().ByName("page_token"), protoreflect.ValueOfString(token))
}
