#!lua flags=allow-oom
-- One move of a submission by the shard's owner, compare-and-set on (state, attempt), with its entry.
-- KEYS  1 lease  2 meta  3 item  4 due  5 shard due  6 final  7 body  8 feed  9 order  10 total  11 channel of outbox hints
-- ARGV  1 nonce  2 account  3 submission  4 expected state  5 expected attempt  6 state  7 attempt
--       8 due ms ('' = the state is final)  9 ms to keep a final item and its request record  10 age ms  11 feed bytes
--       12 record  13 entry ('' = none)
-- Reply FENCED | GONE | CONFLICT | OK
-- include clock.lua
-- include append.lua
-- include rearm.lua
local lease, meta, item, due, shard_due, final, body, feed, order, total, hints = unpack(KEYS)
local nonce, account, id, was, had, state, attempt, due_ms, keep, age, room, record, entry = unpack(ARGV)

local owner = redis.call('HMGET', lease, 'n', 'e')
if owner[1] ~= nonce then return {'FENCED'} end
local now = redis.call('HMGET', meta, 'inc', 'seq', 'dead')
if not now[1] or now[3] then return {'GONE'} end
local held = redis.call('HMGET', item, 's', 'n', 'r', 'z')
if held[1] ~= was or held[2] ~= had then return {'CONFLICT'} end

redis.call('HSET', item, 's', state, 'n', attempt, 'd', due_ms, 'm', record)
if due_ms ~= '' then
  redis.call('ZADD', due, due_ms, id)
else
  redis.call('ZREM', due, id)
  if redis.call('UNLINK', body) == 1 then redis.call('HINCRBY', meta, 'ob', 0 - tonumber(held[4])) end
  redis.call('PEXPIRE', item, keep)
  if held[3] ~= '' then redis.call('PEXPIRE', held[3], keep) end
  redis.call('ZADD', final, clock() + tonumber(keep), id)
end
rearm(due, shard_due, account, 0)
if entry ~= '' then append({meta, feed, order, total}, account, owner[2], tonumber(now[2]), {entry}, {age, room}) end
if due_ms ~= '' then redis.call('SPUBLISH', hints, '') end
return {'OK'}
