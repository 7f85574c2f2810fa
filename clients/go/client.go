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
	Sandbox      postroomv1.SandboxServiceClient
	Server       postroomv1.ServerServiceClient
	Submissions  postroomv1.SubmissionServiceClient
	Suppressions postroomv1.SuppressionServiceClient
	Templates    postroomv1.TemplateServiceClient
	Threads      postroomv1.ThreadServiceClient
	Tokens       postroomv1.TokenServiceClient

	channel     *grpc.ClientConn
	connections *connections
	closed      context.Context
	close       context.CancelFunc
}

func newClient(channel *grpc.ClientConn, open *connections) *Client {
	closed, closing := context.WithCancel(context.Background())
	return &Client{
		Accounts:     postroomv1.NewAccountServiceClient(channel),
		Audits:       postroomv1.NewAuditServiceClient(channel),
		Changes:      postroomv1.NewChangeServiceClient(channel),
		Consumers:    postroomv1.NewConsumerServiceClient(channel),
		Exports:      postroomv1.NewExportServiceClient(channel),
		Mailboxes:    postroomv1.NewMailboxServiceClient(channel),
		Messages:     postroomv1.NewMessageServiceClient(channel),
		OAuthApps:    postroomv1.NewOAuthAppServiceClient(channel),
		Relays:       postroomv1.NewRelayServiceClient(channel),
		Routes:       postroomv1.NewRouteServiceClient(channel),
		Sandbox:      postroomv1.NewSandboxServiceClient(channel),
		Server:       postroomv1.NewServerServiceClient(channel),
		Submissions:  postroomv1.NewSubmissionServiceClient(channel),
		Suppressions: postroomv1.NewSuppressionServiceClient(channel),
		Templates:    postroomv1.NewTemplateServiceClient(channel),
		Threads:      postroomv1.NewThreadServiceClient(channel),
		Tokens:       postroomv1.NewTokenServiceClient(channel),
		channel:      channel,
		connections:  open,
		closed:       closed,
		close:        closing,
	}
}

// Close ends every watch, call and download of the client, and the connection.
func (c *Client) Close() error {
	c.close()
	return c.channel.Close()
}
