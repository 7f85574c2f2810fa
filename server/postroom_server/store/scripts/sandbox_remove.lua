#!lua flags=allow-oom
-- Removes messages of a sandbox mailbox.
-- KEYS  1 sandbox  2 rows  3 channel of hints
-- ARGV  1 mailbox  2 prefix of raw messages  3.. UIDs
-- Reply GONE | MAILBOX | OK uid*
local sandbox, rows, hints = unpack(KEYS)
local mailbox, raws = ARGV[1], ARGV[2]
local now = redis.call('HMGET', sandbox, 'n', mailbox .. '.mod')
if not now[1] then return {'GONE'} end
if not now[2] then return {'MAILBOX'} end

local out = {'OK'}
for i = 3, #ARGV do
  if redis.call('HDEL', rows, ARGV[i]) == 1 then
    redis.call('UNLINK', raws .. ARGV[i])                   -- derived key: same hash tag, so the same slot
    out[#out + 1] = ARGV[i]
  end
end
if #out > 1 then
  redis.call('HINCRBY', sandbox, 'n', 1 - #out)
  redis.call('HINCRBY', sandbox, mailbox .. '.mod', 1)
  redis.call('SPUBLISH', hints, mailbox)
end
return out
