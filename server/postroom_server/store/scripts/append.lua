-- For inclusion, after clock.lua. The one way in which entries get into a feed.
-- append(to, account, epoch, seq, entries, limits, whole) -> new sequence as text
--   to       {meta, feed, order, total}
--   epoch    of the writer's lease, '0' for a writer without one
--   seq      sequence of the last entry so far, a number
--   entries  at least one
--   limits   {milliseconds that an entry is kept, bytes that the feed may hold}
--   whole    an entry that the pointer itself carries, or nil
-- The head of the list is trimmed by age and size, at most TRIM entries more than were added; the newest one stays.
local TRIM = 64
local function append(to, account, epoch, seq, entries, limits, whole)
  local meta, feed, order, total = unpack(to)
  local now = clock()
  local oldest = now - tonumber(limits[1])
  local stamp, added = struct.pack('>I8', now), 0
  for i = 1, #entries do
    added = added + 8 + #entries[i]
    redis.call('RPUSH', feed, stamp .. entries[i])
  end
  local last = seq + #entries
  local held = redis.call('HMGET', meta, 'low', 'bytes')
  local low, bytes, room = tonumber(held[1]), tonumber(held[2]) + added, tonumber(limits[2])
  for _ = 1, TRIM + #entries do
    if low >= last then break end
    local head = redis.call('LINDEX', feed, 0)
    if not head or bytes <= room and struct.unpack('>I8', head) >= oldest then break end
    redis.call('LPOP', feed)
    bytes, low = bytes - #head, low + 1
  end
  redis.call('HSET', meta, 'seq', text(last), 'low', text(low), 'bytes', text(bytes))
  local upto = redis.call('INCRBY', total, #entries)
  local pointer = {'a', account, 'l', text(last), 'n', #entries, 't', upto, 'e', epoch}
  if whole then pointer[#pointer + 1] = 'x'; pointer[#pointer + 1] = whole end
  redis.call('XADD', order, 'MINID', '~', text(oldest), '*', unpack(pointer))
  redis.call('SPUBLISH', order, '')
  return text(last)
end
