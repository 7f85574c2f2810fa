package main

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/code"

	postroom "github.com/postroom/postroom/clients/go"
)

// told describes an error as all puppets do.
func told(err error) object {
	described := object{"reason": "", "code": "", "message": err.Error(), "kind": "Error", "violations": []string{}}
	var failed *postroom.Error
	if errors.As(err, &failed) {
		fields := []string{}
		for _, one := range failed.Violations {
			fields = append(fields, one.Field)
		}
		described = object{
			"reason": failed.Told, "code": code.Code_name[int32(failed.Code)], "message": failed.Message,
			"kind": "PostroomError", "violations": fields, "metadata": failed.Metadata,
			"retryAfter": failed.RetryAfter.Seconds(), "transient": failed.Transient(),
		}
	}
	var reset *postroom.FeedReset
	var ended *postroom.WatchEnded
	var damaged *postroom.DownloadDamaged
	switch {
	case errors.Is(err, context.Canceled):
		described["kind"], described["code"] = "Cancelled", "CANCELLED"
	case errors.As(err, &reset):
		described["kind"], described["why"], described["cursor"] = "FeedReset", reset.Why.String(), reset.Cursor
	case errors.As(err, &ended):
		described["kind"], described["why"], described["cursor"] = "WatchEnded", ended.Why.String(), ended.Cursor
	case errors.As(err, &damaged):
		described["kind"] = "DownloadDamaged"
	}
	return described
}
