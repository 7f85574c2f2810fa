#!lua
-- Registers an account: meta, record with sealed secrets, its place in the shard, its first entry; or none of them.
-- KEYS  1 meta  2 config  3 accounts  4 gone  5 feed  6 order  7 total
-- ARGV  1 account  2 request key ('' = none)  3 latest Unix ms at which it may be created ('' = any)  4 age ms  5 feed bytes
--       6 status  7 revision  8 record  9 names of secrets  10 entry  11.. secret field, sealed value
-- Reply EXISTS | DUPLICATE (the same request made it) | LATE | OK incarnation sequence
-- include clock.lua
-- include append.lua
local meta, config, accounts, gone, feed, order, total = unpack(KEYS)
local account, request, latest, age, room, status, revision, record, names, entry = unpack(ARGV, 1, 10)

local now = redis.call('HMGET', meta, 'inc', 'seq', 'dead', 'rq')
if now[1] and not now[3] then
  if request ~= '' and now[4] == request then return {'DUPLICATE'} end
  return {'EXISTS'}
end
if latest ~= '' and clock() > tonumber(latest) then return {'LATE'} end

local time = redis.call('TIME')
local inc, seq = tonumber(time[1]) * 1000000 + tonumber(time[2]), 0
if now[1] then                                         -- a grave: sequences of the old feed are never used again
  inc = math.max(inc, tonumber(now[1]) + 1)
  seq = (math.ceil(tonumber(now[2]) / 1000000) + 1) * 1000000
  redis.call('DEL', meta, feed)
elseif redis.call('ZSCORE', gone, account) then        -- the grave is gone too: a thousand per second is more than any feed had
  seq = math.ceil(tonumber(time[1]) / 1000) * 1000000
end
redis.call('HSET', meta, 'inc', text(inc), 'seq', text(seq), 'low', text(seq + 1), 'bytes', '0',
  'st', status, 'nm', '1', 'ns', '1')
if request ~= '' then redis.call('HSET', meta, 'rq', request) end
redis.call('HSET', config, 'v', revision, 'r', record, 'h', names)
for i = 11, #ARGV, 2 do redis.call('HSET', config, ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', accounts, 0, account)
redis.call('ZREM', gone, account)
return {'OK', text(inc), append({meta, feed, order, total}, account, '0', seq, {entry}, {age, room})}
