#!lua flags=allow-oom
-- Takes a lease that is free, or keeps one that is ours already.
-- KEYS  1 lease  2 epoch
-- ARGV  1 nonce  2 address  3 TTL in ms
-- Reply HELD | OK epoch
local nonce = redis.call('HGET', KEYS[1], 'n')
if nonce and nonce ~= ARGV[1] then return {'HELD'} end
if nonce then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'OK', redis.call('HGET', KEYS[1], 'e')}
end
local epoch = tostring(redis.call('INCR', KEYS[2]))
redis.call('HSET', KEYS[1], 'n', ARGV[1], 'e', epoch, 'a', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'OK', epoch}
