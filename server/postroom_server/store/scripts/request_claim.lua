#!lua
-- Which account a CreateAccount request id makes. Whoever claims it has a window in which the account may be created;
-- behind the window a claim whose account does not exist may be taken over.
-- KEYS  1 request
-- ARGV  1 account that the caller would make  2 fingerprint of the request  3 window ms  4 ms to keep the record
--       5 account whose claim is taken over ('' = none)
-- Reply MISMATCH | SEEN account expired (1 or 0) | MINE until-ms
-- include clock.lua
local account, fingerprint, window, keep, former = unpack(ARGV)
local seen = redis.call('HMGET', KEYS[1], 'i', 'f', 'u')
local now = clock()
if seen[1] then
  if seen[2] ~= fingerprint then return {'MISMATCH'} end
  local expired = now > tonumber(seen[3])
  if seen[1] ~= account and not (expired and seen[1] == former) then
    return {'SEEN', seen[1], expired and '1' or '0'}
  end
end
local latest = text(now + tonumber(window))
redis.call('HSET', KEYS[1], 'i', account, 'f', fingerprint, 'u', latest)
redis.call('PEXPIRE', KEYS[1], keep)
return {'MINE', latest}
