-- For inclusion. rearm(due, shard_due, account, not_before): the account stands in the shard's row at its next item.
local function rearm(due, shard_due, account, not_before)
  local next = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  if not next[1] then return redis.call('ZREM', shard_due, account) end
  return redis.call('ZADD', shard_due, math.max(tonumber(next[2]), not_before), account)
end
