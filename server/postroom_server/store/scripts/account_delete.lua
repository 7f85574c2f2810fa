#!lua flags=allow-oom
-- The last entry, then a grave that expires by itself: what reads or writes the account meanwhile is told GONE.
-- KEYS  1 lease  2 meta  3 feed  4 order  5 total  6 accounts  7 gone  8 shard due  9 subs  10 uploads  11 sandbox
--       12.. further keys of the account
-- ARGV  1 nonce  2 account  3 incarnation  4 age ms  5 feed bytes  6 ms that the feed stays readable  7 item prefix
--       8 body prefix  9 prefix of sandbox keys  10 entry
-- Reply FENCED | GONE | OK sequence request-key
-- include clock.lua
-- include append.lua
-- include sandbox_drop.lua
local lease, meta, feed, order, total, accounts, gone, shard_due, subs, uploads, sandbox = unpack(KEYS, 1, 11)
local nonce, account, inc, age, room, readable, items, bodies, sandboxes, entry = unpack(ARGV)

local owner = redis.call('HMGET', lease, 'n', 'e')
if owner[1] ~= nonce then return {'FENCED'} end
local now = redis.call('HMGET', meta, 'inc', 'seq', 'dead', 'rq')
if not now[1] or now[3] or now[1] ~= inc then return {'GONE'} end

local seq = append({meta, feed, order, total}, account, owner[2], tonumber(now[2]), {entry}, {age, room}, entry)
for _, id in ipairs(redis.call('ZRANGE', subs, 0, -1)) do            -- derived keys: same hash tag, so the same slot
  local record = redis.call('HGET', items .. id, 'r')
  if record and record ~= '' then redis.call('UNLINK', record) end
  redis.call('UNLINK', items .. id, bodies .. id)
end
for _, id in ipairs(redis.call('ZRANGE', uploads, 0, -1)) do redis.call('UNLINK', bodies .. id) end
drop_sandbox(sandbox, sandboxes)
redis.call('UNLINK', subs, uploads, unpack(KEYS, 12))
local low = redis.call('HGET', meta, 'low')
redis.call('DEL', meta)
redis.call('HSET', meta, 'inc', inc, 'seq', seq, 'low', low, 'bytes', '0', 'dead', '1')
redis.call('PEXPIRE', meta, readable)
redis.call('PEXPIRE', feed, readable)
redis.call('ZREM', accounts, account)
redis.call('ZREM', shard_due, account)
local at = clock()
redis.call('ZADD', gone, at, account)
redis.call('ZREMRANGEBYSCORE', gone, '-inf', at - tonumber(age))
return {'OK', seq, now[4] or ''}
