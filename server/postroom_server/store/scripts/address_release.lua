#!lua flags=allow-oom
-- Takes an address out of the index, if it is filed for this account.
-- KEYS  1 addresses
-- ARGV  1 address  2 account
-- Reply NONE | OK
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return {'NONE'} end
redis.call('HDEL', KEYS[1], ARGV[1])
return {'OK'}
