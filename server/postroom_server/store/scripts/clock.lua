-- For inclusion. clock(): Unix milliseconds of this server. text(n): a whole number, exact up to 2^53 ('%.14g' is not).
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
local function text(number) return string.format('%.0f', number) end
