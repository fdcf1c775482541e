-- What both scripts know of an account: a meter for each rate, money by window, and what is held for requests under way.
--
-- A meter is GCRA's: `used` drains evenly, and what would take it over its capacity is refused. Money is integer
-- nano-dollars, below 2^53, so Lua's numbers hold it exactly. The clock is the server's; where it jumps back, no meter
-- drains and no window begins anew.
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function whole(number) return string.format('%d', number) end

local function month_of(days) -- since 1970; Howard Hinnant's civil_from_days, which has years begin in March
  local era_day = days + 719468
  local era = math.floor(era_day / 146097)
  local doe = era_day - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return year * 12 + month - 1, doy - math.floor((153 * mp + 2) / 5) -- and how many days of it have passed
end

local today = math.floor(tonumber(time[1]) / 86400)
local this_month, days_passed = month_of(today)

local FIELDS = {'requests', 'requests_at', 'tokens', 'tokens_at', 'day', 'day_spent', 'month', 'month_spent', 'held',
  'recent'}

local function read(key)
  local found = redis.call('HMGET', key, unpack(FIELDS))
  local account = {key = key}
  for i, name in ipairs(FIELDS) do account[name] = tonumber(found[i]) end
  if (account.day or -1) < today then account.day, account.day_spent = today, 0 end
  if (account.month or -1) < this_month then account.month, account.month_spent = this_month, 0 end
  account.held = account.held or 0
  return account
end

local function drained(account, meter, a_minute)
  local at = account[meter .. '_at'] or now_us
  return math.max(0, (account[meter] or 0) - math.max(0, now_us - at) * a_minute / 60000000)
end

-- With `field` and its `value` too, where they are given.
local function write(account, field, value)
  local entry = field and {field, value} or {}
  for _, name in ipairs(FIELDS) do
    if account[name] then
      entry[#entry + 1] = name
      entry[#entry + 1] = string.format('%.17g', account[name])
    end
  end
  redis.call('HSET', account.key, unpack(entry))
end

-- What a request has reserved is "nanodollars:tokens", or nil.
local function take_back(account, holds, id)
  local hold = redis.call('HGET', account.key, 'hold:' .. id)
  redis.call('ZREM', holds, id)
  if not hold then return nil end
  redis.call('HDEL', account.key, 'hold:' .. id)
  local nanousd, tokens = string.match(hold, '(%d+):(%S+)')
  account.held = account.held - tonumber(nanousd)
  return tonumber(nanousd), tonumber(tokens)
end
