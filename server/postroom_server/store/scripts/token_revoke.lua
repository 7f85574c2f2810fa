#!lua flags=allow-oom
-- Removes a token.
-- KEYS  1 token  2 secrets  3 ids
-- ARGV  1 id
-- Reply NONE | OK
local secret = redis.call('HGET', KEYS[1], 'h')
if not secret then return {'NONE'} end
redis.call('HDEL', KEYS[2], secret)
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[1])
return {'OK'}
