#!lua flags=allow-oom
-- Lengthens a lease that is still ours. allow-oom: a full store must not cost the leases.
-- KEYS  1 lease
-- ARGV  1 nonce  2 TTL in ms
-- Reply LOST | OK
if redis.call('HGET', KEYS[1], 'n') ~= ARGV[1] then return {'LOST'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'OK'}
