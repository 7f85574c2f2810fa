#!lua
-- One step of an account by its owner: snapshot chunks, mailboxes, positions and entries, or nothing at all.
-- KEYS  1 lease  2 meta  3 snap  4 names  5 feed  6 order  7 total
-- ARGV  1 nonce  2 account  3 expected incarnation  4 expected sequence  5 age ms  6 feed bytes
--       7 next mailbox  8 next space ('' = leave both)
--       9 number of meta fields, then that many times: field, expected value ('' = absent), new value ('' = remove)
--       . number of snapshot fields (chunks, pieces of a slot table), then that many times: field, value ('' = remove)
--       . number of mailboxes,   then that many times: number, record ('' = remove)
--       . the entries, oldest first (may be none: a snapshot write that nobody needs to hear of)
-- Reply FENCED | GONE | CONFLICT sequence incarnation field | OK sequence
-- include clock.lua
-- include append.lua
local lease, meta, snap, names, feed, order, total = unpack(KEYS)
local nonce, account, inc, seq, age, room, next_mailbox, next_space = unpack(ARGV, 1, 8)
local at = 9
local function counted() at = at + 1; return tonumber(ARGV[at - 1]) end

-- 1. May this process write at all?
local owner = redis.call('HMGET', lease, 'n', 'e')
if owner[1] ~= nonce then return {'FENCED'} end

-- 2. Is the account where the writer thinks it is? All comparisons are of strings: exact, no doubles.
local now = redis.call('HMGET', meta, 'inc', 'seq', 'dead', 'nm', 'ns')
if not now[1] or now[3] then return {'GONE'} end
if now[1] ~= inc or now[2] ~= seq then return {'CONFLICT', now[2], now[1], ''} end
if next_mailbox ~= '' and tonumber(next_mailbox) < tonumber(now[4]) then return {'CONFLICT', now[2], now[1], 'nm'} end
if next_space ~= '' and tonumber(next_space) < tonumber(now[5]) then return {'CONFLICT', now[2], now[1], 'ns'} end
local fields = counted()
local first = at
for i = first, first + 3 * fields - 1, 3 do
  if (redis.call('HGET', meta, ARGV[i]) or '') ~= ARGV[i + 1] then return {'CONFLICT', now[2], now[1], ARGV[i]} end
end

-- 3. Nothing below can fail: every check is done, and memory was checked before the script began (no allow-oom flag).
local function put(key, field, value)
  if value == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, value) end
end
for i = first, first + 3 * fields - 1, 3 do
  put(meta, ARGV[i], ARGV[i + 2])
  local space = string.match(ARGV[i], '^p(%d+)$')
  if space and ARGV[i + 2] == '' then                   -- a space that ends takes its chunks along
    for _, field in ipairs(redis.call('HKEYS', snap)) do
      if string.sub(field, 1, #space + 1) == space .. '.' then redis.call('HDEL', snap, field) end
    end
  end
end
at = first + 3 * fields
for _ = 1, counted() do put(snap, ARGV[at], ARGV[at + 1]); at = at + 2 end
for _ = 1, counted() do put(names, ARGV[at], ARGV[at + 1]); at = at + 2 end
if next_mailbox ~= '' then redis.call('HSET', meta, 'nm', next_mailbox, 'ns', next_space) end
local entries = {}
for i = at, #ARGV do entries[#entries + 1] = ARGV[i] end
if #entries == 0 then return {'OK', seq} end
return {'OK', append({meta, feed, order, total}, account, owner[2], tonumber(seq), entries, {age, room})}
