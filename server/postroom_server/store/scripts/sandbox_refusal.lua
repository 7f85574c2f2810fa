#!lua flags=allow-oom
-- Takes the next refusal of something that a sandbox account sends.
-- KEYS  1 sandbox
-- Reply NONE | OK '<code> <status or -> <text>'
local held = redis.call('HGET', KEYS[1], 'rf')
if not held then return {'NONE'} end
local count, rest = string.match(held, '^(%d+) (.*)$')
if tonumber(count) > 1 then redis.call('HSET', KEYS[1], 'rf', string.format('%.0f', tonumber(count) - 1) .. ' ' .. rest)
else redis.call('HDEL', KEYS[1], 'rf') end
return {'OK', rest}
