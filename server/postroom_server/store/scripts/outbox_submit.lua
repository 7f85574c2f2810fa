#!lua
-- Accepts one submission: request record, item, due times, body and entry, or none of them. Any node may call it:
-- uniqueness rests on the record, not on ownership. The sequence is taken here, so the owner's next commit may meet CONFLICT.
-- KEYS  1 meta  2 item  3 request record (the item again when there is no request id)  4 due  5 shard due  6 subs  7 final
--       8 uploads  9 body  10 feed  11 order  12 total  13 channel of outbox hints
-- ARGV  1 account  2 submission  3 request id given (1 or 0)  4 fingerprint  5 due ms  6 state  7 bytes of the message
--       8 chunks of the body  9 items  10 bytes of the outbox  11 age ms  12 feed bytes  13 record  14 entry
-- Reply GONE | MISMATCH | DUPLICATE submission | FULL | LOST (the body has expired) | OK sequence
-- include clock.lua
-- include append.lua
local meta, item, request, due, shard_due, subs, final, uploads, body, feed, order, total, hints = unpack(KEYS)
local account, id, given, fingerprint, due_ms, state, size, chunks, items, room, age, feed_room, record, entry = unpack(ARGV)

local now = redis.call('HMGET', meta, 'inc', 'seq', 'dead', 'ob')
if not now[1] or now[3] then return {'GONE'} end
if given == '1' then
  local seen = redis.call('HMGET', request, 'i', 'f')
  if seen[1] and seen[2] ~= fingerprint then return {'MISMATCH'} end
  if seen[1] then return {'DUPLICATE', seen[1]} end
end
if redis.call('EXISTS', item) == 1 then return {'DUPLICATE', id} end
if redis.call('ZCARD', due) >= tonumber(items) then return {'FULL'} end
if tonumber(now[4] or '0') + tonumber(size) > tonumber(room) then return {'FULL'} end
if redis.call('LLEN', body) ~= tonumber(chunks) then return {'LOST'} end

if given == '1' then redis.call('HSET', request, 'i', id, 'f', fingerprint) end        -- lasts until the item is final
redis.call('HSET', item, 's', state, 'n', '0', 'd', due_ms, 'r', given == '1' and request or '', 'z', size, 'm', record)
redis.call('PERSIST', body)
redis.call('ZREM', uploads, id)
redis.call('HINCRBY', meta, 'ob', size)
redis.call('ZADD', subs, 0, id)
redis.call('ZADD', due, due_ms, id)
redis.call('ZADD', shard_due, 'LT', due_ms, account)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', final, '-inf', clock(), 'LIMIT', 0, 16)) do
  redis.call('ZREM', final, old)
  redis.call('ZREM', subs, old)
end
local seq = append({meta, feed, order, total}, account, '0', tonumber(now[2]), {entry}, {age, feed_room})
redis.call('SPUBLISH', hints, '')
return {'OK', seq}
