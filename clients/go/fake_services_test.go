package postroom

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

// fakeServices refuses the calls as its errors say, in order, then answers.
type fakeServices struct {
	v1.UnimplementedAccountServiceServer
	v1.UnimplementedConsumerServiceServer
	v1.UnimplementedSubmissionServiceServer

	mutex     sync.Mutex
	refusals  []error
	calls     int
	deadline  time.Duration
	metadata  metadata.MD
	uploaded  []*v1.UploadSubmissionRequest
	cancelled chan struct{}
	refuse    error
}

func services(t *testing.T, refusals ...error) (*fakeServices, *Client) {
	t.Helper()
	fake := &fakeServices{refusals: refusals, cancelled: make(chan struct{}, 1)}
	return fake, serve(t, func(server *grpc.Server) {
		v1.RegisterAccountServiceServer(server, fake)
		v1.RegisterConsumerServiceServer(server, fake)
		v1.RegisterSubmissionServiceServer(server, fake)
	})
}

// called notes a call and returns its refusal, if there is one.
func (f *fakeServices) called(ctx context.Context) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.calls++
	f.metadata, _ = metadata.FromIncomingContext(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		f.deadline = time.Until(deadline)
	}
	if len(f.refusals) == 0 {
		return nil
	}
	refusal := f.refusals[0]
	f.refusals = f.refusals[1:]
	return refusal
}

func (f *fakeServices) GetAccount(ctx context.Context, request *v1.GetAccountRequest) (*v1.GetAccountResponse, error) {
	if request.GetName() == "accounts/slow" {
		<-ctx.Done()
		f.cancelled <- struct{}{}
		return nil, ctx.Err()
	}
	return &v1.GetAccountResponse{Account: &v1.Account{Name: request.GetName()}}, f.called(ctx)
}

func (f *fakeServices) CreateConsumer(ctx context.Context, _ *v1.CreateConsumerRequest) (*v1.CreateConsumerResponse, error) {
	return &v1.CreateConsumerResponse{}, f.called(ctx)
}

func (f *fakeServices) SubmitMessage(ctx context.Context, _ *v1.SubmitMessageRequest) (*v1.SubmitMessageResponse, error) {
	return &v1.SubmitMessageResponse{}, f.called(ctx)
}

// ListAccounts has three pages: two accounts, none, one.
func (f *fakeServices) ListAccounts(ctx context.Context, request *v1.ListAccountsRequest) (*v1.ListAccountsResponse, error) {
	if err := f.called(ctx); err != nil {
		return nil, err
	}
	page := map[string]*v1.ListAccountsResponse{
		"":       {Accounts: []*v1.Account{{Name: "accounts/a"}, {Name: "accounts/b"}}, NextPageToken: "second"},
		"second": {NextPageToken: "third"},
		"third":  {Accounts: []*v1.Account{{Name: "accounts/c"}}},
	}[request.GetPageToken()]
	if page == nil || request.GetPageSize() != 2 {
		return nil, status.Error(codes.InvalidArgument, "no such page")
	}
	return page, nil
}

func (f *fakeServices) UploadSubmission(
	stream grpc.ClientStreamingServer[v1.UploadSubmissionRequest, v1.UploadSubmissionResponse],
) error {
	if err := f.called(stream.Context()); err != nil {
		return err
	}
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&v1.UploadSubmissionResponse{Submission: &v1.Submission{Name: "accounts/ada/submissions/s"}})
		}
		if err != nil {
			f.cancelled <- struct{}{}
			return err
		}
		f.mutex.Lock()
		f.uploaded = append(f.uploaded, piece)
		f.mutex.Unlock()
		if f.refuse != nil {
			return f.refuse
		}
	}
}

// refusal is an error as the server makes them.
func refusal(code codes.Code, reason string, wait time.Duration) error {
	made := status.New(code, "refused")
	made, err := made.WithDetails(
		&errdetails.ErrorInfo{Reason: reason, Domain: "postroom", Metadata: map[string]string{"account": "accounts/ada"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)},
	)
	if err != nil {
		panic(err)
	}
	return made.Err()
}

// fakeDownloads sends pieces and says what they should be.
type fakeDownloads struct {
	v1.UnimplementedMessageServiceServer
	v1.UnimplementedExportServiceServer

	pieces  [][]byte
	header  metadata.MD
	trailer metadata.MD
	failure error
	asked   string
}

func downloads(t *testing.T, fake *fakeDownloads) *Client {
	t.Helper()
	return serve(t, func(server *grpc.Server) {
		v1.RegisterMessageServiceServer(server, fake)
		v1.RegisterExportServiceServer(server, fake)
	})
}

func (f *fakeDownloads) play(name string, stream grpc.ServerStream, send func(*httpbody.HttpBody) error) error {
	f.asked = name
	if err := stream.SetHeader(f.header); err != nil {
		return err
	}
	for _, piece := range f.pieces {
		if err := send(&httpbody.HttpBody{Data: piece}); err != nil {
			return err
		}
	}
	stream.SetTrailer(f.trailer)
	return f.failure
}

func (f *fakeDownloads) GetMessageSource(
	request *v1.GetMessageSourceRequest, stream grpc.ServerStreamingServer[v1.GetMessageSourceResponse],
) error {
	return f.play("message "+request.GetName(), stream, func(body *httpbody.HttpBody) error {
		return stream.Send(&v1.GetMessageSourceResponse{Body: body})
	})
}

func (f *fakeDownloads) DownloadAttachment(
	request *v1.DownloadAttachmentRequest, stream grpc.ServerStreamingServer[v1.DownloadAttachmentResponse],
) error {
	return f.play("attachment "+request.GetName(), stream, func(body *httpbody.HttpBody) error {
		return stream.Send(&v1.DownloadAttachmentResponse{Body: body})
	})
}

func (f *fakeDownloads) DownloadExport(
	request *v1.DownloadExportRequest, stream grpc.ServerStreamingServer[v1.DownloadExportResponse],
) error {
	return f.play("export "+request.GetName(), stream, func(body *httpbody.HttpBody) error {
		return stream.Send(&v1.DownloadExportResponse{Body: body})
	})
}
