#!lua
-- One more chunk of a message's body; the first one begins it anew. A body that no submission claims expires.
-- KEYS  1 meta  2 body  3 uploads  4 due  5 item
-- ARGV  1 submission  2 bytes of the whole message  3 ms until an unclaimed body expires  4 items  5 bytes of the outbox
--       6 number of the chunk, from 0  7 sealed chunk
-- Reply GONE | DUPLICATE (the submission was accepted before) | FULL | LOST (the chunk before it is not there) | OK
-- include clock.lua
local meta, body, uploads, due, item = unpack(KEYS)
local id, size, keep, items, room, number, chunk = unpack(ARGV)
local now = redis.call('HMGET', meta, 'inc', 'dead', 'ob')
if not now[1] or now[2] then return {'GONE'} end
if redis.call('EXISTS', item) == 1 then return {'DUPLICATE'} end
if redis.call('ZCARD', due) >= tonumber(items) then return {'FULL'} end
if tonumber(now[3] or '0') + tonumber(size) > tonumber(room) then return {'FULL'} end
if number ~= '0' and redis.call('LLEN', body) ~= tonumber(number) then return {'LOST'} end

local at = clock()
if number == '0' then redis.call('UNLINK', body) end
redis.call('RPUSH', body, chunk)
redis.call('PEXPIRE', body, keep)
redis.call('ZREMRANGEBYSCORE', uploads, '-inf', at - tonumber(keep))
redis.call('ZADD', uploads, 'NX', at, id)
return {'OK'}
