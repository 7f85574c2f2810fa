package postroom

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/types/known/timestamppb"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

const (
	// uploadPieceBytes is how much of a message one request of an upload carries.
	uploadPieceBytes = 256 << 10
	messageType      = "message/rfc822"
)

// UploadOptions says more about an upload.
type UploadOptions struct {
	// RequestID makes the upload safe to repeat: the same id and the same bytes are the same submission.
	RequestID string
	// SendTime is when to send; the zero time means at once.
	SendTime time.Time
}

// Upload sends the raw message (RFC 5322) that source holds, piece by piece: the way for messages that are too large for
// SubmitMessage. The parent is the account's resource name. The call has a default deadline of ten minutes and is not repeated;
// with a request id it may be made again.
func (c *Client) Upload(
	ctx context.Context, parent string, source io.Reader, options UploadOptions,
) (*postroomv1.Submission, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Submissions.UploadSubmission(ctx)
	if err != nil {
		return nil, err
	}
	head := &postroomv1.UploadSubmissionRequest{Parent: parent, RequestId: options.RequestID}
	if !options.SendTime.IsZero() {
		head.SendTime = timestamppb.New(options.SendTime)
	}
	if err := sendPieces(source, head, stream.Send); err != nil {
		return nil, err
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	return answer.GetSubmission(), nil
}

// sendPieces sends what source holds, the first piece with the fields of head. A stream that the server ended is no error
// here: its answer is.
func sendPieces(
	source io.Reader, head *postroomv1.UploadSubmissionRequest, send func(*postroomv1.UploadSubmissionRequest) error,
) error {
	buffer := make([]byte, uploadPieceBytes)
	head.Content = &httpbody.HttpBody{ContentType: messageType}
	next := func() *postroomv1.UploadSubmissionRequest {
		return &postroomv1.UploadSubmissionRequest{Content: &httpbody.HttpBody{}}
	}
	for piece := head; ; piece = next() {
		size, readErr := fill(source, buffer)
		if readErr != nil && readErr != io.EOF {
			return readErr
		}
		if size > 0 || piece == head {
			piece.Content.Data = buffer[:size]
			if err := send(piece); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
		if readErr != nil {
			return nil
		}
	}
}

// fill reads until the buffer is full. Unlike io.ReadFull it keeps a source's own io.ErrUnexpectedEOF apart from the end: a
// source that broke off is not a whole message.
func fill(source io.Reader, buffer []byte) (size int, err error) {
	for size < len(buffer) && err == nil {
		var read int
		read, err = source.Read(buffer[size:])
		size += read
	}
	return size, err
}
