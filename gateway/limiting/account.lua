-- What all scripts know of an account: a meter for each rate, money by window, and what is held for requests under way.
--
-- A meter is GCRA's: `used` drains evenly, and what would take it over its capacity is refused. Money is integer
-- nano-dollars, below 2^53, so Lua's numbers hold it exactly. The clock is the server's. Where it jumps ahead and comes
-- back, the windows that it left are found as they were; where it jumps back, no window begins anew.
--
-- An account's key is `weighbridge:limits:of:NAME`. Beside it are the ids of its requests under way, by when they lapse
-- (`holds`), and what has lapsed, should its end be heard of yet (`lapsed`).
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function whole(number) return string.format('%d', number) end

local function beside(key, what)
  return 'weighbridge:limits:' .. what .. string.sub(key, #'weighbridge:limits:of' + 1)
end

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

-- Begins window `current` of a day's or a month's money, or goes back to it where it is the one before.
local function turn(account, window, current)
  local before, spent = account[window], window .. '_spent'
  if before == nil then
    account[window], account[spent] = current, 0
    return
  end
  local last, last_spent = window .. '_last', window .. '_last_spent'
  local found = redis.call('HMGET', account.key, last, last_spent)
  local known = tonumber(found[1]) == current
  if current < before and not known then return end
  local leaving = account[spent]
  account[window], account[spent] = current, known and tonumber(found[2]) or 0
  redis.call('HSET', account.key, window, whole(current), spent, whole(account[spent]), last, whole(before),
    last_spent, whole(leaving))
end

local function read(key)
  local found = redis.call('HMGET', key, unpack(FIELDS))
  local account = {key = key}
  for i, name in ipairs(FIELDS) do account[name] = tonumber(found[i]) end
  if account.day ~= today then turn(account, 'day', today) end
  if account.month ~= this_month then turn(account, 'month', this_month) end
  for _, at in ipairs({'requests_at', 'tokens_at'}) do
    if (account[at] or 0) > now_us then -- the clock was ahead: from now on the meter drains as ever
      account[at] = now_us
      redis.call('HSET', key, at, whole(now_us))
    end
  end
  account.held = account.held or 0
  return account
end

local function drained(account, meter, a_minute)
  local at = account[meter .. '_at'] or now_us
  return math.max(0, (account[meter] or 0) - (now_us - at) * a_minute / 60000000)
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

-- What a request has reserved is "nanodollars:tokens".
local function parts(hold)
  local nanousd, tokens = string.match(hold, '(%d+):(%d+)')
  return tonumber(nanousd), tonumber(tokens)
end

-- The account is written with it, and known to `leases`, where those are found that have fallen silent.
local function put(account, id, hold, lease_us, leases)
  account.held = account.held + parts(hold)
  write(account, 'hold:' .. id, hold)
  redis.call('ZADD', beside(account.key, 'holds'), now_us + lease_us, id)
  redis.call('ZADD', leases, 'NX', now_us + lease_us, account.key)
end

-- What the request had reserved, or nil.
local function take_back(account, id)
  local hold = redis.call('HGET', account.key, 'hold:' .. id)
  redis.call('ZREM', beside(account.key, 'holds'), id)
  if not hold then return nil end
  redis.call('HDEL', account.key, 'hold:' .. id)
  account.held = account.held - parts(hold)
  return hold
end
