-- Checks every limit of one call, and charges all or nothing. `amounts.lua` stands before it.
--
-- KEYS: a hash for each limit.
-- ARGV: the time in milliseconds, or 0 for the server's own; then for each limit its window and granule in milliseconds,
-- its maximum and the call's amount as two halves each, and whether it is in shadow.
--
-- Answers {1, at...}: charged at these times; 0 for a limit in shadow that has no room and is not charged.
--         {0, n, wait}: the n-th limit has no room; after `wait` milliseconds all have, or never if it is negative.
--         {-1, n}: the n-th hash is none of these, and nothing is charged.
--
-- A hash holds the calls of a window, oldest first, as numbered fields `at:high:low`, and in `m` all there is to know of
-- them: the first number, the last, the longest window that anybody has asked for, and the sum.

-- How many entries a window has before its calls are put together by granules whatever the limit says.
local ENTRIES = 4096

local function entry(key, number)
  return numbers(redis.call('HGET', key, text(number)), 3)
end

local clock = tonumber(ARGV[1])
if clock == 0 then
  local time = redis.call('TIME')
  clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local limits = {}
local short, wait = nil, 0
for n, key in ipairs(KEYS) do
  local base = (n - 1) * 7 + 1
  local limit = {
    length = tonumber(ARGV[base + 1]), granule = tonumber(ARGV[base + 2]),
    max_high = tonumber(ARGV[base + 3]), max_low = tonumber(ARGV[base + 4]),
    high = tonumber(ARGV[base + 5]), low = tonumber(ARGV[base + 6]),
    now = clock, gone = {},
  }
  limits[n] = limit
  local header = redis.pcall('HGET', key, 'm')
  if type(header) == 'table' then return { -1, n } end
  if not header then
    if redis.call('EXISTS', key) == 1 then return { -1, n } end
    header = '1:0:0:0:0'
  end
  local known = numbers(header, 5)
  if not known then return { -1, n } end
  local head, tail = known[1], known[2]
  local sum_high, sum_low = known[4], known[5]
  limit.window = math.max(known[3], limit.length)
  if tail >= head then
    limit.last = entry(key, tail)
    if not limit.last then return { -1, n } end
    -- A clock that was set back makes no room.
    limit.now = math.max(clock, limit.last[1])
  end
  -- What no window holds any more.
  while head <= tail do
    local oldest = entry(key, head)
    if not oldest or exceeds(oldest[2], oldest[3], sum_high, sum_low) then return { -1, n } end
    if oldest[1] + limit.window > limit.now then break end
    sum_high, sum_low = subtract(sum_high, sum_low, oldest[2], oldest[3])
    limit.gone[#limit.gone + 1] = text(head)
    head = head + 1
  end
  limit.head, limit.tail, limit.sum_high, limit.sum_low = head, tail, sum_high, sum_low
  -- What the longest window holds and this one does not.
  local live_high, live_low, first = sum_high, sum_low, head
  if limit.length < limit.window then
    while first <= tail do
      local oldest = entry(key, first)
      if not oldest or exceeds(oldest[2], oldest[3], live_high, live_low) then return { -1, n } end
      if oldest[1] + limit.length > limit.now then break end
      live_high, live_low = subtract(live_high, live_low, oldest[2], oldest[3])
      first = first + 1
    end
  end
  local all_high, all_low = add(live_high, live_low, limit.high, limit.low)
  if exceeds(all_high, all_low, limit.max_high, limit.max_low) then
    if ARGV[base + 7] == '1' then
      limit.skipped = true
    else
      short = short or n
      if exceeds(limit.high, limit.low, limit.max_high, limit.max_low) then
        wait = -1
      else
        local over_high, over_low = subtract(all_high, all_low, limit.max_high, limit.max_low)
        local until_then = 0
        while first <= tail do
          local oldest = entry(key, first)
          if not oldest then return { -1, n } end
          until_then = oldest[1] + limit.length - limit.now
          if not exceeds(over_high, over_low, oldest[2], oldest[3]) then break end
          over_high, over_low = subtract(over_high, over_low, oldest[2], oldest[3])
          first = first + 1
        end
        if wait >= 0 then wait = math.max(wait, until_then) end
      end
    end
  end
end

local answer = { 1 }
for n, key in ipairs(KEYS) do
  local limit = limits[n]
  for first = 1, #limit.gone, 1000 do
    redis.call('HDEL', key, unpack(limit.gone, first, math.min(first + 999, #limit.gone)))
  end
  local charges = not short and not limit.skipped
  if charges then
    local granule = limit.granule
    if limit.tail - limit.head + 1 >= ENTRIES then
      granule = math.max(granule, math.ceil(limit.window / ENTRIES))
    end
    local last = limit.last
    local high, low = limit.high, limit.low
    if last and limit.tail >= limit.head and math.floor(last[1] / granule) == math.floor(limit.now / granule) then
      high, low = add(last[2], last[3], high, low)
    else
      limit.tail = limit.tail + 1
    end
    limit.sum_high, limit.sum_low = add(limit.sum_high, limit.sum_low, limit.high, limit.low)
    redis.call('HSET', key, text(limit.tail), text(limit.now) .. ':' .. text(high) .. ':' .. text(low))
    redis.call('PEXPIRE', key, text(limit.now - clock + limit.window + granule))
  end
  if charges or #limit.gone > 0 then
    redis.call('HSET', key, 'm', table.concat({
      text(limit.head), text(limit.tail), text(limit.window), text(limit.sum_high), text(limit.sum_low) }, ':'))
  end
  answer[n + 1] = charges and limit.now or 0
end
if short then return { 0, short, wait } end
return answer
