#!lua flags=no-writes
-- Entries of one account from a sequence on, as of one instant: between two commands a trim would shift the index.
-- KEYS  1 meta  2 feed
-- ARGV  1 first sequence wanted  2 count
-- Reply GONE | OK incarnation low sequence entry* | DEAD the same, of an account that was deleted
-- No entries: `first` is below low or behind the head.
local meta = redis.call('HMGET', KEYS[1], 'inc', 'low', 'seq', 'dead')
if not meta[1] then return {'GONE'} end
local out = {meta[4] and 'DEAD' or 'OK', meta[1], meta[2], meta[3]}
local low, first = tonumber(meta[2]), tonumber(ARGV[1])
if first < low or first > tonumber(meta[3]) then return out end
local rows = redis.call('LRANGE', KEYS[2], first - low, first - low + tonumber(ARGV[2]) - 1)
for i = 1, #rows do out[i + 4] = rows[i] end
return out
