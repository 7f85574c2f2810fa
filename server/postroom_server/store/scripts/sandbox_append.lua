#!lua
-- Stores one message in a sandbox mailbox.
-- KEYS  1 sandbox  2 rows  3 channel of hints
-- ARGV  1 mailbox  2 prefix of raw messages  3 size  4 received, Unix microseconds  5 flags, blank between  6 most messages
--       7 raw message
-- Reply GONE | MAILBOX | FULL | OK uid
local sandbox, rows, hints = unpack(KEYS)
local mailbox, raws, size, received, flags, most, raw = unpack(ARGV)
local now = redis.call('HMGET', sandbox, 'n', mailbox .. '.next')
if not now[1] then return {'GONE'} end
if not now[2] then return {'MAILBOX'} end
if tonumber(now[1]) >= tonumber(most) then return {'FULL'} end

local modseq = redis.call('HINCRBY', sandbox, mailbox .. '.mod', 1)
redis.call('HINCRBY', sandbox, mailbox .. '.next', 1)
redis.call('HINCRBY', sandbox, 'n', 1)
redis.call('HSET', rows, now[2], modseq .. ' ' .. size .. ' ' .. received .. ' ' .. flags)
redis.call('SET', raws .. now[2], raw)                      -- derived key: same hash tag, so the same slot
redis.call('SPUBLISH', hints, mailbox)
return {'OK', now[2]}
