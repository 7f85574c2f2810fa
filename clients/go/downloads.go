package postroom

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	postroomv1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

const (
	lengthHeader = "x-content-length"
	sha256Header = "x-content-sha256"
)

// Download writes a raw message (RFC 5322), an attachment or an export, by its resource name, to target and returns its size.
// It is whole or an error: size and SHA-256 are compared with what the server says, and [DownloadDamaged] says that they
// differ. What was written before an error is worthless.
func (c *Client) Download(ctx context.Context, name string, target io.Writer) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	switch {
	case strings.Contains(name, "/attachments/"):
		stream, err := c.Messages.DownloadAttachment(ctx, &postroomv1.DownloadAttachmentRequest{Name: name})
		return save(name, stream, err, target)
	case strings.Contains(name, "/exports/"):
		stream, err := c.Exports.DownloadExport(ctx, &postroomv1.DownloadExportRequest{Name: name})
		return save(name, stream, err, target)
	default:
		stream, err := c.Messages.GetMessageSource(ctx, &postroomv1.GetMessageSourceRequest{Name: name})
		return save(name, stream, err, target)
	}
}

// save writes the pieces of a download and compares them with what was announced.
func save[Piece any, Body interface {
	*Piece
	GetBody() *httpbody.HttpBody
}](name string, stream grpc.ServerStreamingClient[Piece], err error, target io.Writer) (int64, error) {
	if err != nil {
		return 0, err
	}
	digest, size := sha256.New(), int64(0)
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return size, err
		}
		data := Body(piece).GetBody().GetData()
		written, err := target.Write(data)
		size += int64(written)
		if err != nil {
			return size, err
		}
		digest.Write(data)
	}
	header, err := stream.Header()
	if err != nil {
		return size, asError(err)
	}
	if damage := compare(metadata.Join(header, stream.Trailer()), size, hex.EncodeToString(digest.Sum(nil))); damage != "" {
		return size, &DownloadDamaged{Name: name, Message: damage}
	}
	return size, nil
}

// compare says how what came differs from what was announced; empty if it does not.
func compare(announced metadata.MD, size int64, hash string) string {
	for _, length := range announced.Get(lengthHeader) {
		if length != strconv.FormatInt(size, 10) {
			return fmt.Sprintf("%d bytes came, %s were announced", size, length)
		}
	}
	for _, wanted := range announced.Get(sha256Header) {
		if wanted != hash {
			return "the bytes that came have another SHA-256"
		}
	}
	return ""
}
