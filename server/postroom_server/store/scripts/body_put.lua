#!lua
-- One more chunk of a message's body. A body that no submission claims expires.
-- KEYS  1 meta  2 body  3 uploads  4 due
-- ARGV  1 submission  2 bytes of the whole message  3 ms until an unclaimed body expires  4 items  5 bytes of the outbox
--       6 sealed chunk
-- Reply GONE | FULL | OK chunks
-- include clock.lua
local meta, body, uploads, due = unpack(KEYS)
local id, size, keep, items, room, chunk = unpack(ARGV)
local now = redis.call('HMGET', meta, 'inc', 'dead', 'ob')
if not now[1] or now[2] then return {'GONE'} end
if redis.call('ZCARD', due) >= tonumber(items) then return {'FULL'} end
if tonumber(now[3] or '0') + tonumber(size) > tonumber(room) then return {'FULL'} end

local at = clock()
local chunks = redis.call('RPUSH', body, chunk)
redis.call('PEXPIRE', body, keep)
redis.call('ZREMRANGEBYSCORE', uploads, '-inf', at - tonumber(keep))
redis.call('ZADD', uploads, 'NX', at, id)
return {'OK', tostring(chunks)}
