#!lua flags=allow-oom
-- Removes every key of a sandbox account.
-- KEYS  1 sandbox
-- ARGV  1 prefix of its other keys
-- Reply NONE | OK address
-- include sandbox_drop.lua
local address = redis.call('HGET', KEYS[1], 'a')
if not address then return {'NONE'} end
drop_sandbox(KEYS[1], ARGV[1])
return {'OK', address}
