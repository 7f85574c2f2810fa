package postroom

import (
	"context"

	"google.golang.org/grpc"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// A Client is one connection to a server, with the services of the contract. It is safe for concurrent use; close it when
// done.
type Client struct {
	Accounts     postroomv1.AccountServiceClient
	Audits       postroomv1.AuditServiceClient
	Changes      postroomv1.ChangeServiceClient
	Consumers    postroomv1.ConsumerServiceClient
	Exports      postroomv1.ExportServiceClient
	Mailboxes    postroomv1.MailboxServiceClient
	Messages     postroomv1.MessageServiceClient
	OAuthApps    postroomv1.OAuthAppServiceClient
	Relays       postroomv1.RelayServiceClient
	Routes       postroomv1.RouteServiceClient
	Server       postroomv1.ServerServiceClient
	Submissions  postroomv1.SubmissionServiceClient
	Suppressions postroomv1.SuppressionServiceClient
	Templates    postroomv1.TemplateServiceClient
	Threads      postroomv1.ThreadServiceClient
	Tokens       postroomv1.TokenServiceClient

	connection *grpc.ClientConn
	closed     context.Context
	close      context.CancelFunc
}

func newClient(connection *grpc.ClientConn) *Client {
	closed, closing := context.WithCancel(context.Background())
	return &Client{
		Accounts:     postroomv1.NewAccountServiceClient(connection),
		Audits:       postroomv1.NewAuditServiceClient(connection),
		Changes:      postroomv1.NewChangeServiceClient(connection),
		Consumers:    postroomv1.NewConsumerServiceClient(connection),
		Exports:      postroomv1.NewExportServiceClient(connection),
		Mailboxes:    postroomv1.NewMailboxServiceClient(connection),
		Messages:     postroomv1.NewMessageServiceClient(connection),
		OAuthApps:    postroomv1.NewOAuthAppServiceClient(connection),
		Relays:       postroomv1.NewRelayServiceClient(connection),
		Routes:       postroomv1.NewRouteServiceClient(connection),
		Server:       postroomv1.NewServerServiceClient(connection),
		Submissions:  postroomv1.NewSubmissionServiceClient(connection),
		Suppressions: postroomv1.NewSuppressionServiceClient(connection),
		Templates:    postroomv1.NewTemplateServiceClient(connection),
		Threads:      postroomv1.NewThreadServiceClient(connection),
		Tokens:       postroomv1.NewTokenServiceClient(connection),
		connection:   connection,
		closed:       closed,
		close:        closing,
	}
}

// Close ends every watch, call and download of the client, and the connection.
func (c *Client) Close() error {
	c.close()
	return c.connection.Close()
}
