#!lua flags=allow-oom
-- Notes a token's last use, unless it was revoked meanwhile.
-- KEYS  1 token
-- ARGV  1 Unix ms
-- Reply NONE | OK
if redis.call('EXISTS', KEYS[1]) == 0 then return {'NONE'} end
redis.call('HSET', KEYS[1], 'u', ARGV[1])
return {'OK'}
