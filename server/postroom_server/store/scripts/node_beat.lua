#!lua flags=allow-oom
-- Notes a node's heartbeat and forgets nodes that have been silent for long.
-- KEYS  1 nodes
-- ARGV  1 nonce  2 heartbeat record  3 ms of silence after which a node is forgotten
-- Reply OK
-- include clock.lua
local now = clock()
redis.call('HSET', KEYS[1], ARGV[1], text(now) .. ' ' .. ARGV[2])
local nodes = redis.call('HGETALL', KEYS[1])
for i = 1, #nodes, 2 do
  if tonumber(string.match(nodes[i + 1], '^%d+')) < now - tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], nodes[i]) end
end
return {'OK'}
