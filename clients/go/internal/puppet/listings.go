package main

import (
	"context"
	"encoding/json"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// listing returns the names of every row.
type listing func(context.Context, json.RawMessage) ([]string, error)

func listings(client *postroom.Client) map[string]listing {
	return map[string]listing{
		"AccountService.ListAccounts":       names(client.Accounts.ListAccounts, (*v1.ListAccountsResponse).GetAccounts),
		"ConsumerService.ListConsumers":     names(client.Consumers.ListConsumers, (*v1.ListConsumersResponse).GetConsumers),
		"ExportService.ListExports":         names(client.Exports.ListExports, (*v1.ListExportsResponse).GetExports),
		"MessageService.ListMessages":       names(client.Messages.ListMessages, (*v1.ListMessagesResponse).GetMessages),
		"MessageService.SearchMessages":     names(client.Messages.SearchMessages, (*v1.SearchMessagesResponse).GetMessages),
		"OAuthAppService.ListOAuthApps":     names(client.OAuthApps.ListOAuthApps, (*v1.ListOAuthAppsResponse).GetOauthApps),
		"RelayService.ListRelays":           names(client.Relays.ListRelays, (*v1.ListRelaysResponse).GetRelays),
		"RouteService.ListRoutes":           names(client.Routes.ListRoutes, (*v1.ListRoutesResponse).GetRoutes),
		"SubmissionService.ListSubmissions": names(client.Submissions.ListSubmissions, (*v1.ListSubmissionsResponse).GetSubmissions),
		"SuppressionService.ListSuppressionEntries": names(
			client.Suppressions.ListSuppressionEntries, (*v1.ListSuppressionEntriesResponse).GetEntries,
		),
		"TemplateService.ListTemplates": names(client.Templates.ListTemplates, (*v1.ListTemplatesResponse).GetTemplates),
		"ThreadService.ListThreads":     names(client.Threads.ListThreads, (*v1.ListThreadsResponse).GetThreads),
		"TokenService.ListTokens":       names(client.Tokens.ListTokens, (*v1.ListTokensResponse).GetTokens),
	}
}

func names[Request proto.Message, Answer postroom.Listing, Row interface{ GetName() string }](
	method func(context.Context, Request, ...grpc.CallOption) (Answer, error), rows func(Answer) []Row,
) listing {
	return func(ctx context.Context, text json.RawMessage) ([]string, error) {
		var none Request
		request := none.ProtoReflect().New().Interface().(Request)
		if err := read(text, request); err != nil {
			return nil, err
		}
		found := []string{}
		for row, err := range postroom.Pages(ctx, method, request, rows) {
			if err != nil {
				return nil, err
			}
			found = append(found, row.GetName())
		}
		return found, nil
	}
}
