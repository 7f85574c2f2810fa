#!lua flags=no-writes
-- All chunks of one space, as of one instant.
-- KEYS  1 snap
-- ARGV  1 prefix of the space's fields
-- Reply field, value, ...
local found = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, #ARGV[1]) == ARGV[1] then
    found[#found + 1] = field
    found[#found + 1] = redis.call('HGET', KEYS[1], field)
  end
end
return found
