package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	postroom "github.com/postroom/postroom/clients/go"
)

// caller makes one call and returns its answer.
type caller func(context.Context) (proto.Message, error)

// prepare finds a unary method by its name, such as AccountService.GetAccount, and reads its request.
func prepare(client *postroom.Client, name string, request json.RawMessage) (caller, error) {
	service, method, _ := strings.Cut(name, ".")
	fields := reflect.ValueOf(client).Elem()
	for index := range fields.NumField() {
		if fields.Type().Field(index).Type.Name() != service+"Client" {
			continue
		}
		function := fields.Field(index).MethodByName(method)
		if !function.IsValid() || function.Type().NumIn() != 3 || function.Type().NumOut() != 2 {
			break
		}
		message := reflect.New(function.Type().In(1).Elem()).Interface().(proto.Message)
		if err := read(request, message); err != nil {
			return nil, err
		}
		return func(ctx context.Context) (proto.Message, error) {
			out := function.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(message)})
			if err, failed := out[1].Interface().(error); failed {
				return nil, err
			}
			return out[0].Interface().(proto.Message), nil
		}, nil
	}
	return nil, fmt.Errorf("no method %q", name)
}

func read(request json.RawMessage, into proto.Message) error {
	if len(request) == 0 {
		return nil
	}
	return protojson.Unmarshal(request, into)
}

func (p *puppet) call(ctx context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	made, err := prepare(client, wanted.Method, wanted.Request)
	if err != nil {
		return nil, err
	}
	if wanted.Seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, seconds(wanted.Seconds))
		defer cancel()
	}
	answer, err := made(ctx)
	if err != nil {
		return nil, err
	}
	return written(answer)
}

func written(message proto.Message) (any, error) {
	text, err := protojson.Marshal(message)
	return json.RawMessage(text), err
}

func seconds(number float64) time.Duration {
	return time.Duration(number * float64(time.Second))
}

func (p *puppet) pages(ctx context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	listing, ok := listings(client)[wanted.Method]
	if !ok {
		return nil, fmt.Errorf("no listing %q", wanted.Method)
	}
	names, err := listing(ctx, wanted.Request)
	return object{"names": names}, err
}

func (p *puppet) download(ctx context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	size, err := client.Download(ctx, wanted.Name, digest)
	return object{"size": size, "sha256": hex.EncodeToString(digest.Sum(nil))}, err
}

func (p *puppet) upload(ctx context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(wanted.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	made, err := client.Upload(ctx, wanted.Parent, file, postroom.UploadOptions{RequestID: wanted.RequestID})
	if err != nil {
		return nil, err
	}
	return written(made)
}

func (p *puppet) stats(context.Context, command) (any, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kibibytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return object{"rssBytes": kibibytes << 10, "tasks": runtime.NumGoroutine()}, err
}

// bench makes calls, so many at a time, for a while.
func (p *puppet) bench(ctx context.Context, wanted command) (any, error) {
	client, err := p.client(wanted)
	if err != nil {
		return nil, err
	}
	made, err := prepare(client, wanted.Method, wanted.Request)
	if err != nil {
		return nil, err
	}
	var mutex sync.Mutex
	var callers sync.WaitGroup
	calls, errors, began := 0, 0, time.Now()
	callers.Add(wanted.Callers)
	for range wanted.Callers {
		go func() {
			defer callers.Done()
			for time.Since(began) < seconds(wanted.Seconds) && ctx.Err() == nil {
				_, err := made(ctx)
				mutex.Lock()
				if calls++; err != nil {
					errors++
				}
				mutex.Unlock()
			}
		}()
	}
	callers.Wait()
	return object{"calls": calls, "seconds": time.Since(began).Seconds(), "errors": errors}, ctx.Err()
}
