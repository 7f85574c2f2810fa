#!lua flags=allow-oom
-- Makes a sandbox account fail from now on, or no longer.
-- KEYS  1 sandbox  2 mailboxes  3 messages  4 history  5 references  6 channel of hints, for sandbox_lib.lua
-- ARGV  1, 2 as sandbox_lib.lua says  3 verb: offline, refuse, expire, clear  4 value: until, Unix milliseconds, -1 for ever;
--       '<count> <code> <status or -> <text>'
-- Reply GONE | OK
-- include sandbox_lib.lua
local verb, value = ARGV[3], ARGV[4]
if not begin() then return {'GONE'} end
if verb == 'offline' then redis.call('HSET', SBX, 'off', value)
elseif verb == 'refuse' then redis.call('HSET', SBX, 'rf', value)
elseif verb == 'clear' then redis.call('HDEL', SBX, 'off', 'rf')
else
  now.mod = now.mod + 1
  now.floor = now.mod
  redis.call('UNLINK', LOG)
  for _, number in ipairs(redis.call('HKEYS', BOX)) do touched[number] = true end
end
finish('0')
return {'OK'}
