-- What both scripts begin with. Numbers here are doubles: an amount is high * 10^10 + low, so that both halves are exact.

local BASE = 10000000000

local function text(number) return string.format('%.0f', number) end

local function numbers(value, count)
  if type(value) ~= 'string' then return nil end
  local found = {}
  for part in string.gmatch(value, '[^:]+') do
    if #part > 15 or not string.match(part, '^%d+$') then return nil end
    found[#found + 1] = tonumber(part)
  end
  if #found ~= count then return nil end
  return found
end

local function add(a_high, a_low, b_high, b_low)
  local low = a_low + b_low
  if low >= BASE then return a_high + b_high + 1, low - BASE end
  return a_high + b_high, low
end

-- Of a difference that is never negative.
local function subtract(a_high, a_low, b_high, b_low)
  if a_low >= b_low then return a_high - b_high, a_low - b_low end
  return a_high - b_high - 1, a_low - b_low + BASE
end

local function exceeds(a_high, a_low, b_high, b_low)
  return a_high > b_high or (a_high == b_high and a_low > b_low)
end
