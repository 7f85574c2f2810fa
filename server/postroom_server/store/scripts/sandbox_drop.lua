-- For inclusion. drop_sandbox(sandbox, rows, mailboxes): removes every key of a sandbox account; raw messages lie under
-- <rows><mailbox>:<uid>, in the same slot.
local function drop_sandbox(sandbox, rows, mailboxes)
  if redis.call('UNLINK', sandbox) == 0 then return 0 end
  for mailbox = 1, mailboxes do
    for _, uid in ipairs(redis.call('HKEYS', rows .. mailbox)) do
      redis.call('UNLINK', rows .. mailbox .. ':' .. uid)
    end
    redis.call('UNLINK', rows .. mailbox)
  end
  return 1
end
