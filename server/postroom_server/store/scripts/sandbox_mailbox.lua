#!lua
-- Makes, renames, subscribes to or removes a mailbox of a sandbox account.
-- KEYS  1 sandbox  2 mailboxes  3 messages  4 history  5 references  6 channel of hints, for sandbox_lib.lua
-- ARGV  1, 2 as sandbox_lib.lua says  3 verb: create, rename, subscribe, delete  4 mailbox, 0 for none
--       5 path, or 1 or 0 for subscribe  6 most mailboxes  7 most bytes of a path
-- Reply GONE | MAILBOX | EXISTS | ROLE | INSIDE | CHILDREN | LONG | MANY | OK mailbox
-- include sandbox_lib.lua
local verb, number, path, most, longest = unpack(ARGV, 3)
if not begin() then return {'GONE'} end
local it = number ~= '0' and box(number)
if number ~= '0' and not it then return {'MAILBOX'} end

local paths, boxes, count = {}, {}, 0
local held = redis.call('HKEYS', BOX)
for _, one in ipairs(held) do
  boxes[one] = box(one)
  paths[boxes[one].path] = one
  count = count + 1
end
local function beneath(prefix)
  local found = {}
  for one, other in pairs(boxes) do
    if string.sub(other.path, 1, #prefix + 1) == prefix .. '/' then found[#found + 1] = one end
  end
  return found
end
local function missing(whole)
  local levels, at = {}, 0
  while true do
    at = string.find(whole, '/', at + 1, true)
    if not at then break end
    local level = string.sub(whole, 1, at - 1)
    if not paths[level] then levels[#levels + 1] = level end
  end
  return levels
end
local function make(level)
  local new = text(now.nb)
  now.nb = now.nb + 1
  put_box(new, {modseq = text(now.mod), subscribed = '1', role = '-', path = level})
  return new
end

if verb == 'subscribe' then
  it.subscribed = path
  put_box(number, it)
  finish('0')
  return {'OK', number}
end
if verb == 'delete' then
  if it.role ~= '-' then return {'ROLE'} end
  if #beneath(it.path) > 0 then return {'CHILDREN'} end
  for _, one in ipairs(redis.call('HKEYS', MSG)) do
    local found = message(one)
    if is_in(found, number) then
      if now.profile == 'GMAIL' then
        local left = string.gsub(found.boxes, ',' .. number .. ',', ',')
        change(one, found, {size = found.size, received = found.received, raw = found.raw, boxes = left, flags = found.flags})
      else
        change(one, found, nil)
        release(found)
      end
    end
  end
  redis.call('HDEL', BOX, number)
  finish('0')
  return {'OK', number}
end

if paths[path] and paths[path] ~= number then return {'EXISTS'} end
local levels = missing(path)
if verb == 'create' then
  if count + #levels + 1 > tonumber(most) then return {'MANY'} end
  for _, level in ipairs(levels) do make(level) end
  number = make(path)
else
  if it.role ~= '-' then return {'ROLE'} end
  if string.sub(path, 1, #it.path + 1) == it.path .. '/' then return {'INSIDE'} end
  if count + #levels > tonumber(most) then return {'MANY'} end
  local under = beneath(it.path)
  for _, one in ipairs(under) do
    if #boxes[one].path - #it.path + #path > tonumber(longest) then return {'LONG'} end
  end
  for _, level in ipairs(levels) do make(level) end
  for _, one in ipairs(under) do
    boxes[one].path = path .. string.sub(boxes[one].path, #it.path + 1)
    put_box(one, boxes[one])
  end
  it.path = path
  put_box(number, it)
end
finish('0')
return {'OK', number}
