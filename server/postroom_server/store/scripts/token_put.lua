#!lua
-- Stores a bearer token; one with the same id is replaced, and its secret no longer works.
-- KEYS  1 token  2 secrets  3 ids
-- ARGV  1 id  2 SHA-256 of the secret in hexadecimal  3 record
-- Reply OK
local former = redis.call('HGET', KEYS[1], 'h')
if former then redis.call('HDEL', KEYS[2], former) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'r', ARGV[3], 'h', ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return {'OK'}
