#!lua
-- Makes the mailboxes of a sandbox account if they are missing and notes its address.
-- KEYS  1 meta  2 sandbox  3 mailboxes  4 gone
-- ARGV  1 account  2 address  3 profile  4 .. role and path of each mailbox
-- Reply GONE | OK former-address
local meta, sandbox, boxes, gone = unpack(KEYS)
local account, address, profile = unpack(ARGV)
if redis.call('EXISTS', meta) == 0 and redis.call('ZSCORE', gone, account) then return {'GONE'} end
if redis.call('HGET', meta, 'dead') then return {'GONE'} end
local held = redis.call('HMGET', sandbox, 'a', 'k')
if not held[2] then
  local number = 0
  for at = 4, #ARGV, 2 do
    number = number + 1
    redis.call('HSET', boxes, number, '1 1 ' .. ARGV[at] .. ' ' .. ARGV[at + 1])
  end
  redis.call('HSET', sandbox, 'k', profile, 'e', redis.call('TIME')[1], 'n', '0', 'next', '1', 'mod', '1', 'floor', '1',
    'nb', number + 1)
end
redis.call('HSET', sandbox, 'a', address)
return {'OK', held[1] or ''}
