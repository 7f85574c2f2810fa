"""The live side: ownership of shards, one worker per account, the outbox, the feed tailer. Names ports only."""
