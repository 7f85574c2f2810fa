#!lua
-- Makes the mailboxes of a sandbox account if they are missing and notes its address.
-- KEYS  1 meta  2 sandbox  3 gone
-- ARGV  1 address  2 number of mailboxes  3 account
-- Reply GONE | OK former-address
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('ZSCORE', KEYS[3], ARGV[3]) then return {'GONE'} end
if redis.call('HGET', KEYS[1], 'dead') then return {'GONE'} end
local former = redis.call('HGET', KEYS[2], 'a')
if not former then
  redis.call('HSET', KEYS[2], 'e', redis.call('TIME')[1], 'n', '0')
  for mailbox = 1, tonumber(ARGV[2]) do
    redis.call('HSET', KEYS[2], mailbox .. '.next', '1', mailbox .. '.mod', '1')
  end
end
redis.call('HSET', KEYS[2], 'a', ARGV[1])
return {'OK', former or ''}
