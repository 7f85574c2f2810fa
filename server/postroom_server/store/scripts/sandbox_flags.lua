#!lua
-- Changes flags of messages of a sandbox mailbox; what is so already is no change.
-- KEYS  1 sandbox  2 rows  3 channel of hints
-- ARGV  1 mailbox  2 number of flags to add, then these  . number of flags to remove, then these  . UIDs
-- Reply GONE | MAILBOX | OK (uid flags)*
local sandbox, rows, hints = unpack(KEYS)
local mailbox, at = ARGV[1], 2
local function listed()
  local count = tonumber(ARGV[at])
  local words = {unpack(ARGV, at + 1, at + count)}
  at = at + 1 + count
  return words
end
local add, remove = listed(), listed()
local now = redis.call('HMGET', sandbox, 'n', mailbox .. '.mod')
if not now[1] then return {'GONE'} end
if not now[2] then return {'MAILBOX'} end

local modseq, changed = string.format('%.0f', tonumber(now[2]) + 1), false
local out = {'OK'}
for i = at, #ARGV do
  local row = redis.call('HGET', rows, ARGV[i])
  if row then
    local facts, words = string.match(row, '^%d+ (%d+ %d+) (.*)$')
    local on, flags = {}, {}
    for flag in string.gmatch(words, '%S+') do on[flag] = true end
    for _, flag in ipairs(add) do on[flag] = true end
    for _, flag in ipairs(remove) do on[flag] = nil end
    for flag in pairs(on) do flags[#flags + 1] = flag end
    table.sort(flags)
    local after = table.concat(flags, ' ')
    if after ~= words then
      redis.call('HSET', rows, ARGV[i], modseq .. ' ' .. facts .. ' ' .. after)
      changed = true
    end
    out[#out + 1] = ARGV[i]
    out[#out + 1] = after
  end
end
if changed then
  redis.call('HSET', sandbox, mailbox .. '.mod', modseq)
  redis.call('SPUBLISH', hints, mailbox)
end
return out
