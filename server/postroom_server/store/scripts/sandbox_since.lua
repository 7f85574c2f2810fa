#!lua flags=no-writes
-- What has happened in a sandbox account since a modseq.
-- KEYS  1 sandbox  2 history
-- ARGV  1 modseq  2 most records
-- Reply GONE | EXPIRED epoch modseq | OK epoch modseq record*
local held = redis.call('HMGET', KEYS[1], 'e', 'mod', 'floor')
if not held[1] then return {'GONE'} end
local from = tonumber(ARGV[1]) - tonumber(held[3])
if from < 0 or tonumber(ARGV[1]) > tonumber(held[2]) then return {'EXPIRED', held[1], held[2]} end
return {'OK', held[1], held[2], unpack(redis.call('LRANGE', KEYS[2], from, from + tonumber(ARGV[2]) - 1))}
