package postroom

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

var unavailable = status.Error(codes.Unavailable, "no node")

func get(ctx context.Context, client *Client) error {
	_, err := client.Accounts.GetAccount(ctx, &v1.GetAccountRequest{Name: "accounts/ada"})
	return err
}

func TestACallCarriesTheTokenAndItsDefaultDeadline(t *testing.T) {
	fake, client := services(t)
	if err := get(context.Background(), client); err != nil {
		t.Fatal(err)
	}
	equal(t, "authorization", fake.metadata.Get("authorization")[0], "Bearer secret")
	if agent := fake.metadata.Get("user-agent")[0]; !strings.HasPrefix(agent, userAgent) {
		t.Errorf("user agent %q", agent)
	}
	if fake.deadline < 25*time.Second || fake.deadline > 30*time.Second {
		t.Errorf("deadline %s", fake.deadline)
	}
}

func TestTheCallersDeadlineWins(t *testing.T) {
	fake, client := services(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := get(ctx, client); err != nil {
		t.Fatal(err)
	}
	if fake.deadline < 59*time.Minute {
		t.Errorf("deadline %s", fake.deadline)
	}
}

func TestACallThatNoNodeTookIsMadeAgainAsItsRuleSays(t *testing.T) {
	submit := func(id string) func(context.Context, *Client) error {
		return func(ctx context.Context, client *Client) error {
			_, err := client.Submissions.SubmitMessage(ctx, &v1.SubmitMessageRequest{RequestId: id})
			return err
		}
	}
	never := func(ctx context.Context, client *Client) error {
		_, err := client.Consumers.CreateConsumer(ctx, &v1.CreateConsumerRequest{})
		return err
	}
	for name, given := range map[string]struct {
		call    func(context.Context, *Client) error
		refusal error
		calls   int
	}{
		"always":                {get, unavailable, 3},
		"a reason of ours":      {get, refusal(codes.Unavailable, "NODE_UNAVAILABLE", 0), 3},
		"never":                 {never, unavailable, 1},
		"with a request id":     {submit("id"), unavailable, 3},
		"without a request id":  {submit(""), unavailable, 1},
		"the provider's reason": {get, refusal(codes.Unavailable, "PROVIDER_UNREACHABLE", 0), 1},
		"outcome unknown":       {submit("id"), refusal(codes.Unavailable, "OUTCOME_UNKNOWN", 0), 1},
		"another code":          {get, status.Error(codes.Internal, "broken"), 1},
		"a throttled call":      {get, status.Error(codes.ResourceExhausted, "full"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := services(t, given.refusal, given.refusal)
			err := given.call(within(t), client)
			equal(t, "calls", fake.calls, given.calls)
			if want := status.Code(given.refusal); given.calls == 1 && codeOf(err) != want || given.calls == 3 && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRepeatsStopBeforeTheDeadline(t *testing.T) {
	for name, wait := range map[string]time.Duration{"a pause that is too long": time.Minute, "many pauses": 0} {
		t.Run(name, func(t *testing.T) {
			fake, client := services(t, slices.Repeat([]error{refusal(codes.Unavailable, "NODE_UNAVAILABLE", wait)}, 1000)...)
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := get(ctx, client)
			if codeOf(err) != codes.Unavailable && (wait > 0 || codeOf(err) != codes.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); wait > 0 && took > 400*time.Millisecond || took > 600*time.Millisecond {
				t.Errorf("took %s", took)
			}
			if wait > 0 {
				equal(t, "calls", fake.calls, 1)
			}
		})
	}
}

func TestACancelledCallEndsAtOnceAndAtTheServer(t *testing.T) {
	fake, client := services(t)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := client.Accounts.GetAccount(ctx, &v1.GetAccountRequest{Name: "accounts/slow"})
	if !errors.Is(err, context.Canceled) || codeOf(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
	select {
	case <-fake.cancelled:
	case <-time.After(testTime):
		t.Error("the server was not told")
	}
}

func TestACallThatIsCancelledInItsPauseEndsAtOnce(t *testing.T) {
	_, client := services(t, refusal(codes.Unavailable, "NODE_UNAVAILABLE", 5*time.Second))
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	if err := get(ctx, client); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
}

func TestACallThatIsOverdueSaysSo(t *testing.T) {
	fake, client := services(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Accounts.GetAccount(ctx, &v1.GetAccountRequest{Name: "accounts/slow"})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, Reason(v1.ErrorReason_DEADLINE_EXCEEDED)) {
		t.Errorf("got %v", err)
	}
	<-fake.cancelled
}

func TestEveryServiceAndMethodOfTheContractIsThere(t *testing.T) {
	methods, client := 0, reflect.TypeFor[Client]()
	protoregistry.GlobalFiles.RangeFilesByPackage("postroom.v1", func(file protoreflect.FileDescriptor) bool {
		for index := range file.Services().Len() {
			service := file.Services().Get(index)
			if _, ok := client.FieldByNameFunc(func(name string) bool {
				field, _ := client.FieldByName(name)
				return field.Type.Name() == string(service.Name())+"Client"
			}); !ok {
				t.Errorf("a Client has no %s", service.Name())
			}
			methods += service.Methods().Len()
			for index := range service.Methods().Len() {
				method := service.Methods().Get(index)
				rule, ok := callRules[fmt.Sprintf("/%s/%s", service.FullName(), method.Name())]
				if !ok || rule.deadline == 0 && !method.IsStreamingServer() {
					t.Errorf("%s has no rule, or no default deadline", method.FullName())
				}
			}
		}
		return true
	})
	equal(t, "methods", methods, len(callRules))
}
