#!lua
-- Replaces an account's record and some of its secrets, if the revision is the expected one.
-- KEYS  1 meta  2 config
-- ARGV  1 expected revision  2 new revision  3 record  4.. secret field, sealed value ('' = remove)
-- Reply GONE | CONFLICT revision | OK names-of-secrets
local meta, config = unpack(KEYS)
local now = redis.call('HMGET', meta, 'inc', 'dead')
if not now[1] or now[2] then return {'GONE'} end
local revision = redis.call('HGET', config, 'v')
if revision ~= ARGV[1] then return {'CONFLICT', revision} end

redis.call('HSET', config, 'v', ARGV[2], 'r', ARGV[3])
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', config, ARGV[i]) else redis.call('HSET', config, ARGV[i], ARGV[i + 1]) end
end
local names = {}
for _, field in ipairs(redis.call('HKEYS', config)) do
  if string.sub(field, 1, 2) == 's:' then names[#names + 1] = string.sub(field, 3) end
end
local joined = table.concat(names, ',')
redis.call('HSET', config, 'h', joined)
return {'OK', joined}
