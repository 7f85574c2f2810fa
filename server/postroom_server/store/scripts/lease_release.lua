#!lua flags=allow-oom
-- Gives a lease back, if it is ours.
-- KEYS  1 lease
-- ARGV  1 nonce
-- Reply LOST | OK
if redis.call('HGET', KEYS[1], 'n') ~= ARGV[1] then return {'LOST'} end
redis.call('DEL', KEYS[1])
return {'OK'}
