-- For inclusion, after sandbox_lib.lua: sandbox_change.lua and sandbox_delete.lua, which say what it reads and answers.
local verb, within, source, to, most, most_flags = unpack(ARGV, 3, 8)
local at = 9
local function listed()
  local count = tonumber(ARGV[at])
  local words = {unpack(ARGV, at + 1, at + count)}
  at = at + 1 + count
  return words
end
local add, remove, enter, leave = listed(), listed(), listed(), listed()
if not begin() then return {'GONE'} end
local target = to ~= '0' and box(to)
if to ~= '0' and not target then return {'MAILBOX'} end
local virtual = {}
for _, number in ipairs({unpack(enter)}) do
  local it = box(number)
  if not it then return {'MAILBOX'} end
  virtual[number] = it.role == 'all'
end
local labels, alone = now.profile == 'GMAIL', target and target.role ~= 'all' and ',' .. to .. ',' or ','

local function found(number)
  local it = message(number)
  if it and (within == '0' or is_in(it, within)) then return it end
end
if verb == 'copy' and not labels then
  local copies = 0
  for i = at, #ARGV do if found(ARGV[i]) then copies = copies + 1 end end
  if now.n + copies > tonumber(most) then return {'FULL'} end
end

local function flagged(flags)
  local on, words = {}, {}
  for flag in string.gmatch(flags, '%S+') do on[flag] = true end
  for _, flag in ipairs(add) do on[flag] = true end
  for _, flag in ipairs(remove) do on[flag] = nil end
  for flag in pairs(on) do words[#words + 1] = flag end
  table.sort(words)
  return table.concat(words, ' '), #words
end

local function places(boxes, more, less)
  local on = {}
  for number in string.gmatch(boxes, '%d+') do on[number] = true end
  for _, number in ipairs(less) do on[number] = nil end
  for _, number in ipairs(more) do if not virtual[number] then on[number] = true end end
  return joined(on)
end

local function moved(it)
  if verb == 'copy' then return labels and places(it.boxes, alone == ',' and {} or {to}, {}) or nil end
  if labels and verb == 'move' and source ~= '0' then return places(it.boxes, alone == ',' and {} or {to}, {source}) end
  return alone
end

local function with(it, boxes, flags)
  return {size = it.size, received = it.received, raw = it.raw, boxes = boxes, flags = flags}
end

local function anew(it)
  local number = text(now.next)
  now.next = now.next + 1
  change(number, nil, with(it, alone, it.flags))
  return number
end

local function one(number)
  local it = found(number)
  if not it then return 'G', '0', '' end
  if verb == 'delete' and (to == '0' or is_in(it, to)) then
    change(number, it, nil)
    release(it)
    return 'D', '0', ''
  end
  if verb == 'edit' then
    local flags, count = flagged(it.flags)
    if count > tonumber(most_flags) and #add > 0 then return 'R', '0', it.flags end
    local boxes = places(it.boxes, enter, leave)
    if flags == it.flags and boxes == it.boxes then return 'U', number, flags end
    change(number, it, with(it, boxes, flags))
    return 'D', number, flags
  end
  local boxes = moved(it)
  if boxes == it.boxes then return 'U', number, it.flags end
  if verb == 'copy' and not labels then
    redis.call('HINCRBY', REF, it.raw, 1)
    return 'D', anew(it), it.flags
  end
  if now.profile == 'IMAP' then
    change(number, it, nil)
    return 'D', anew(it), it.flags
  end
  change(number, it, with(it, boxes, it.flags))
  return 'D', number, it.flags
end

local out = {'OK'}
for i = at, #ARGV do
  local deed, new, flags = one(ARGV[i])
  out[#out + 1] = ARGV[i]
  out[#out + 1] = deed
  out[#out + 1] = new
  out[#out + 1] = flags
end
finish()
return out
