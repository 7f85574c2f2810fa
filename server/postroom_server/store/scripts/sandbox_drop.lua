-- For inclusion. drop_sandbox(sandbox, prefix): removes every key of a sandbox account; they lie beneath the prefix, in the
-- same slot.
local function drop_sandbox(sandbox, prefix)
  if redis.call('UNLINK', sandbox) == 0 then return 0 end
  for _, row in ipairs(redis.call('HVALS', prefix .. 'msg')) do
    redis.call('UNLINK', prefix .. 'raw:' .. string.match(row, '^%d+ %d+ %-?%d+ (%d+) '))
  end
  redis.call('UNLINK', prefix .. 'msg', prefix .. 'box', prefix .. 'log', prefix .. 'ref')
  return 1
end
