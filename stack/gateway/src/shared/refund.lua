-- Gives back what one call was charged that never left. `amounts.lua` stands before it.
--
-- KEYS: a hash for each limit, as `charge.lua` keeps it. ARGV: for each when it was charged, and the amount as two halves.
-- Answers how many hashes were none of these.

-- Never less than nothing: who gives back more than there is has met another's window.
local function less(a_high, a_low, b_high, b_low)
  if exceeds(b_high, b_low, a_high, a_low) then return 0, 0 end
  return subtract(a_high, a_low, b_high, b_low)
end

local function give_back(key, at, high, low)
  local header = redis.pcall('HGET', key, 'm')
  -- It has expired since, and with it what was charged.
  if not header then return true end
  local known = numbers(header, 5)
  if not known then return false end
  -- Entries are in the order of their times, and a later call of the granule has moved its time on.
  local first, last = known[1], known[2]
  while first < last do
    local middle = math.floor((first + last) / 2)
    local found = numbers(redis.call('HGET', key, text(middle)), 3)
    if not found then return false end
    if found[1] < at then first = middle + 1 else last = middle end
  end
  if first > known[2] then return true end
  local found = numbers(redis.call('HGET', key, text(first)), 3)
  if not found then return false end
  if found[1] < at then return true end
  if exceeds(high, low, found[2], found[3]) then high, low = found[2], found[3] end
  local entry_high, entry_low = less(found[2], found[3], high, low)
  local sum_high, sum_low = less(known[4], known[5], high, low)
  redis.call('HSET', key, text(first), text(found[1]) .. ':' .. text(entry_high) .. ':' .. text(entry_low),
    'm', table.concat({ text(known[1]), text(known[2]), text(known[3]), text(sum_high), text(sum_low) }, ':'))
  return true
end

local bad = 0
for n, key in ipairs(KEYS) do
  local base = (n - 1) * 3
  if not give_back(key, tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3])) then
    bad = bad + 1
  end
end
return bad
