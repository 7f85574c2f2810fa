#!lua
-- Stores one message in a sandbox mailbox.
-- KEYS  1 sandbox  2 mailboxes  3 messages  4 history  5 references  6 channel of hints, for sandbox_lib.lua
-- ARGV  1, 2 as sandbox_lib.lua says  3 mailbox  4 size  5 received, Unix microseconds  6 flags, blank between
--       7 most messages  8 raw message
-- Reply GONE | MAILBOX | FULL | OK message
-- include sandbox_lib.lua
local mailbox, size, received, flags, most, raw = unpack(ARGV, 3)
if not begin() then return {'GONE'} end
local to = box(mailbox)
if not to then return {'MAILBOX'} end
if now.n >= tonumber(most) then return {'FULL'} end

local number = text(now.next)
now.next = now.next + 1
local boxes = to.role == 'all' and ',' or ',' .. mailbox .. ','
redis.call('SET', RAWS .. number, raw)                            -- derived key: same hash tag, so the same slot
change(number, nil, {size = size, received = received, raw = number, boxes = boxes, flags = flags})
finish(mailbox)
return {'OK', number}
