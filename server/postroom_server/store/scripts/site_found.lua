#!lua
-- Founds the store, or tells what it is.
-- KEYS  1 site
-- ARGV  1 store id  2 shard count  3 schema  4 sealed proof of the key
-- Reply OK store-id shard-count schema proof
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'id', ARGV[1], 'shards', ARGV[2], 'schema', ARGV[3], 'proof', ARGV[4])
end
return {'OK', unpack(redis.call('HMGET', KEYS[1], 'id', 'shards', 'schema', 'proof'))}
