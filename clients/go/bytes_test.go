package postroom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

func announced(data []byte, size int) metadata.MD {
	hash := sha256.Sum256(data)
	return metadata.Pairs(lengthHeader, strconv.Itoa(size), sha256Header, hex.EncodeToString(hash[:]))
}

func TestADownloadIsWholeOrAnError(t *testing.T) {
	data := bytes.Repeat([]byte("postroom "), 100_000)
	pieces := [][]byte{data[:300_000], data[300_000:]}
	for name, given := range map[string]struct {
		fake  fakeDownloads
		whole bool
	}{
		"as the trailer says":    {fakeDownloads{pieces: pieces, trailer: announced(data, len(data))}, true},
		"as the header says":     {fakeDownloads{pieces: pieces, header: announced(data, len(data))}, true},
		"nothing is announced":   {fakeDownloads{pieces: pieces}, true},
		"too short":              {fakeDownloads{pieces: pieces[:1], trailer: announced(data, len(data))}, false},
		"too long":               {fakeDownloads{pieces: pieces, header: announced(data, len(data)-1)}, false},
		"other bytes":            {fakeDownloads{pieces: pieces, trailer: announced(data[1:], len(data))}, false},
		"empty, and more is due": {fakeDownloads{trailer: announced(data, len(data))}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var target bytes.Buffer
			size, err := downloads(t, &given.fake).Download(within(t), "accounts/ada/messages/m", &target)
			if given.whole {
				if err != nil || size != int64(len(data)) || !bytes.Equal(target.Bytes(), data) {
					t.Errorf("%d bytes, %v", size, err)
				}
				return
			}
			var damaged *DownloadDamaged
			if !errors.As(err, &damaged) || codeOf(err) != codes.DataLoss {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestADownloadIsFoundByItsName(t *testing.T) {
	for _, want := range []string{
		"message accounts/ada/messages/m", "attachment accounts/ada/messages/m/attachments/2", "export accounts/ada/exports/e",
	} {
		fake := &fakeDownloads{pieces: [][]byte{nil}}
		_, name, _ := strings.Cut(want, " ")
		if _, err := downloads(t, fake).Download(within(t), name, io.Discard); err != nil {
			t.Error(err)
		}
		equal(t, "asked", fake.asked, want)
	}
}

func TestADownloadThatFailsReturnsItsError(t *testing.T) {
	fake := &fakeDownloads{pieces: [][]byte{[]byte("half")}, failure: refusal(codes.NotFound, "MESSAGE_NOT_FOUND", 0)}
	size, err := downloads(t, fake).Download(within(t), "accounts/ada/messages/m", io.Discard)
	if !errors.Is(err, Reason(v1.ErrorReason_MESSAGE_NOT_FOUND)) || size != 4 {
		t.Errorf("%d bytes, %v", size, err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errDisk }

var errDisk = errors.New("the disk is full")

func TestADownloadThatCannotBeWrittenEnds(t *testing.T) {
	fake := &fakeDownloads{pieces: [][]byte{make([]byte, 1<<20), make([]byte, 1<<20), make([]byte, 1<<20)}}
	if _, err := downloads(t, fake).Download(within(t), "accounts/ada/messages/m", fullDisk{}); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
}

func TestAnUploadIsSentInPieces(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "small": "Subject: Hello\r\n\r\n", "large": strings.Repeat("Hello.\r\n", 100_000),
		"just a piece": strings.Repeat("x", uploadPieceBytes),
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := services(t)
			sendTime := time.Now().Add(time.Hour)
			made, err := client.Upload(within(t), "accounts/ada", iotest.OneByteReader(bufferOf(data)), UploadOptions{
				RequestID: "id", SendTime: sendTime,
			})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "submission", made.GetName(), "accounts/ada/submissions/s")
			head := fake.uploaded[0]
			equal(t, "parent", head.GetParent(), "accounts/ada")
			equal(t, "request id", head.GetRequestId(), "id")
			equal(t, "type", head.GetContent().GetContentType(), "message/rfc822")
			equal(t, "send time", head.GetSendTime().AsTime().Equal(sendTime), true)
			var came strings.Builder
			for _, piece := range fake.uploaded {
				came.Write(piece.GetContent().GetData())
			}
			equal(t, "what came", came.String() == data, true)
			equal(t, "pieces", len(fake.uploaded), max(1, (len(data)+uploadPieceBytes-1)/uploadPieceBytes))
			if fake.deadline < 9*time.Minute {
				equal(t, "deadline is the test's", fake.deadline < testTime, true)
			}
		})
	}
}

func bufferOf(data string) io.Reader { return strings.NewReader(data) }

func TestAnUploadHasADefaultDeadline(t *testing.T) {
	fake, client := services(t)
	if _, err := client.Upload(context.Background(), "accounts/ada", bufferOf("x"), UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if fake.deadline < 9*time.Minute || fake.deadline > 10*time.Minute {
		t.Errorf("deadline %s", fake.deadline)
	}
}

func TestAnUploadWhoseSourceBreaksIsNoMessage(t *testing.T) {
	for _, broken := range []error{errDisk, io.ErrUnexpectedEOF} {
		fake, client := services(t)
		source := io.MultiReader(bufferOf(strings.Repeat("x", uploadPieceBytes)), iotest.ErrReader(broken))
		if _, err := client.Upload(within(t), "accounts/ada", source, UploadOptions{}); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		select {
		case <-fake.cancelled:
		case <-time.After(testTime):
			t.Error("the server was not told")
		}
	}
}

func TestAnUploadThatIsRefusedMidwayReturnsTheServersError(t *testing.T) {
	fake, client := services(t)
	fake.refuse = refusal(codes.InvalidArgument, "MESSAGE_TOO_LARGE", 0)
	endless := io.LimitReader(zeros{}, 1<<30)
	if _, err := client.Upload(within(t), "accounts/ada", endless, UploadOptions{}); !errors.Is(err, Reason(v1.ErrorReason_MESSAGE_TOO_LARGE)) {
		t.Errorf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(buffer []byte) (int, error) { return len(buffer), nil }

func TestAnUploadIsNotMadeAgain(t *testing.T) {
	fake, client := services(t, status.Error(codes.Unavailable, "no node"))
	_, err := client.Upload(within(t), "accounts/ada", bufferOf("x"), UploadOptions{RequestID: "id"})
	equal(t, "code", codeOf(err), codes.Unavailable)
	equal(t, "calls", fake.calls, 1)
}
