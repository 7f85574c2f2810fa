package postroom

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 50 * time.Millisecond
	// lastPause is short, so that a reader is back soon after its server is; the jitter keeps many readers apart.
	lastPause = time.Second
)

// longest returns the longest pause after so many failures in a row, beginning with 0.
func longest(failures int) time.Duration {
	pause := firstPause
	for range failures {
		if pause *= 2; pause >= lastPause {
			return lastPause
		}
	}
	return pause
}

// between returns a random time in [least, most].
func between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + rand.N(most-least+1)
}

// sleep waits, or returns false as soon as one of the contexts ends.
func sleep(pause time.Duration, first, second context.Context) bool {
	if first.Err() != nil || second.Err() != nil {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-first.Done():
		return false
	case <-second.Done():
		return false
	}
}
