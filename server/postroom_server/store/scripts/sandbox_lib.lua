-- For inclusion. What every script that writes to a sandbox account stands on.
-- KEYS  1 sandbox  2 mailboxes  3 messages  4 history  5 references  6 channel of hints
-- ARGV  1 prefix of raw messages  2 most records of history
-- A mailbox: '<modseq> <subscribed> <role or -> <path>'. A message: '<modseq> <size> <received> <raw> <mailboxes> <flags>',
-- its mailboxes as ',1,5,' and ',' for none. A record of history: '<message> <before> <after>\t<flags>\t<flags>', where the
-- mailboxes of a message that is not there are '-'; record k has the modseq floor + k.
local SBX, BOX, MSG, LOG, REF, HINTS = unpack(KEYS, 1, 6)
local RAWS, RECORDS = ARGV[1], tonumber(ARGV[2])
local now, touched = {}, {}

local function text(number) return string.format('%.0f', number) end

local function begin()
  local held = redis.call('HMGET', SBX, 'k', 'mod', 'floor', 'next', 'n', 'nb')
  now.profile = held[1]
  for at, name in ipairs({'mod', 'floor', 'next', 'n', 'nb'}) do now[name] = tonumber(held[at + 1]) end
  return now.profile
end

local function box(number)
  local held = redis.call('HGET', BOX, number)
  if not held then return nil end
  local modseq, subscribed, role, path = string.match(held, '^(%d+) (%d) (%S+) (.*)$')
  return {modseq = modseq, subscribed = subscribed, role = role, path = path}
end

local function put_box(number, it)
  redis.call('HSET', BOX, number, it.modseq .. ' ' .. it.subscribed .. ' ' .. it.role .. ' ' .. it.path)
end

local function message(number)
  local held = redis.call('HGET', MSG, number)
  if not held then return nil end
  local size, received, raw, boxes, flags = string.match(held, '^%d+ (%d+) (%-?%d+) (%d+) (%S+) (.*)$')
  return {size = size, received = received, raw = raw, boxes = boxes, flags = flags}
end

local function is_in(it, mailbox) return string.find(it.boxes, ',' .. mailbox .. ',', 1, true) ~= nil end

local function joined(set)
  local numbers = {}
  for number in pairs(set) do numbers[#numbers + 1] = tonumber(number) end
  if #numbers == 0 then return ',' end
  table.sort(numbers)
  return ',' .. table.concat(numbers, ',') .. ','
end

-- From one state to another, nil where the message is not there: one step of history.
local function change(number, before, after)
  now.mod = now.mod + 1
  for _, it in ipairs({before or false, after or false}) do
    if it then for mailbox in string.gmatch(it.boxes, '%d+') do touched[mailbox] = true end end
  end
  redis.call('RPUSH', LOG, number .. ' ' .. (before and before.boxes or '-') .. ' ' .. (after and after.boxes or '-')
    .. '\t' .. (before and before.flags or '') .. '\t' .. (after and after.flags or ''))
  if after then
    if not before then now.n = now.n + 1 end
    local facts = after.size .. ' ' .. after.received .. ' ' .. after.raw
    redis.call('HSET', MSG, number, text(now.mod) .. ' ' .. facts .. ' ' .. after.boxes .. ' ' .. after.flags)
  else
    now.n = now.n - 1
    redis.call('HDEL', MSG, number)
  end
end

-- The bytes of a message that is removed, unless another one shares them.
local function release(it)
  local shared = tonumber(redis.call('HGET', REF, it.raw) or 0)
  if shared > 1 then redis.call('HSET', REF, it.raw, shared - 1)
  elseif shared == 1 then redis.call('HDEL', REF, it.raw)
  else redis.call('UNLINK', RAWS .. it.raw) end                   -- derived key: same hash tag, so the same slot
end

local function finish(also)
  local over = redis.call('LLEN', LOG) - RECORDS
  if over > 0 then
    redis.call('LTRIM', LOG, over, -1)
    now.floor = now.floor + over
  end
  redis.call('HSET', SBX, 'mod', text(now.mod), 'floor', text(now.floor), 'next', text(now.next), 'n', text(now.n),
    'nb', text(now.nb))
  for mailbox in pairs(touched) do
    local it = box(mailbox)
    if it then
      it.modseq = text(now.mod)
      put_box(mailbox, it)
    end
    redis.call('SPUBLISH', HINTS, mailbox)
  end
  if also then redis.call('SPUBLISH', HINTS, also) end
end
