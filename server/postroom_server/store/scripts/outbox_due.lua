#!lua flags=allow-oom
-- Accounts that may send now, longest waiting first; each goes to the back of the row, so that fairness is by account.
-- KEYS  1 lease  2 shard due
-- ARGV  1 nonce  2 now ms  3 count  4 ms until an account that is not re-armed comes up again
-- Reply FENCED | OK account*
if redis.call('HGET', KEYS[1], 'n') ~= ARGV[1] then return {'FENCED'} end
local accounts = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
for _, account in ipairs(accounts) do redis.call('ZADD', KEYS[2], ARGV[2] + ARGV[4], account) end
return {'OK', unpack(accounts)}
