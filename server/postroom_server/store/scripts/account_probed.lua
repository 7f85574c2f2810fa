#!lua
-- Notes what the account's provider can, beside its record: the record's revision, and so its etag, stays as it is.
-- KEYS  1 lease  2 meta  3 config
-- ARGV  1 nonce  2 capabilities
-- Reply FENCED | GONE | OK
if redis.call('HGET', KEYS[1], 'n') ~= ARGV[1] then return {'FENCED'} end
local now = redis.call('HMGET', KEYS[2], 'inc', 'dead')
if not now[1] or now[2] then return {'GONE'} end
redis.call('HSET', KEYS[3], 'c', ARGV[2])
return {'OK'}
