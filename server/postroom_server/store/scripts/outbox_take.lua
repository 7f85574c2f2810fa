#!lua flags=allow-oom
-- Due items of one account. What waits to be sent is SENDING from here on, its attempt counted before it is made: a crash
-- is then a counted attempt, and what another process left SENDING is one more. What is in any other state is told as it
-- is. All of them come up again after a while.
-- KEYS  1 lease  2 due  3 shard due
-- ARGV  1 nonce  2 account  3 now ms  4 count  5 item prefix  6 ms until an item that is not stepped comes up again
-- Reply FENCED | OK (submission state attempt record)*
-- include rearm.lua
local lease, due, shard_due = unpack(KEYS)
local nonce, account, now, count, items, again = unpack(ARGV)
if redis.call('HGET', lease, 'n') ~= nonce then return {'FENCED'} end

local waiting = {QUEUED = true, RETRYING = true, SCHEDULED = true}
local out = {'OK'}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, count)) do
  local key = items .. id                                  -- derived key: same hash tag, so the same slot
  local item = redis.call('HMGET', key, 's', 'n', 'm', 'o')
  if not item[1] then
    redis.call('ZREM', due, id)
  else
    if waiting[item[1]] or item[1] == 'SENDING' and item[4] ~= nonce then
      item[1], item[2] = 'SENDING', tostring(redis.call('HINCRBY', key, 'n', 1))
      redis.call('HSET', key, 's', 'SENDING', 'o', nonce)
    end
    redis.call('ZADD', due, now + again, id)
    out[#out + 1] = id
    for i = 1, 3 do out[#out + 1] = item[i] end
  end
end
rearm(due, shard_due, account, tonumber(now))
return out
