-- Frees what is held for requests whose workers have fallen silent: their machine is gone.
--
-- KEYS: the leases, when they were looked at last. ARGV: lease and longest gap between two looks in microseconds, how
-- many accounts at once, and how many seconds what has lapsed is remembered. Returns how many accounts were looked at.
--
-- Whoever could not speak has not fallen silent: where Valkey was away, or its clock has jumped, every lease begins anew.
local lease_us, gap_us, most, remembered_s = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local LEASES, LOOKED = KEYS[1], KEYS[2]

local last = tonumber(redis.call('GET', LOOKED) or '-1')
redis.call('SET', LOOKED, whole(now_us))
if now_us < last or now_us > last + gap_us then
  for _, key in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do redis.call('ZADD', LEASES, now_us + lease_us, key) end
  return 0
end

local function lapse(account, id)
  local lapsed = beside(account.key, 'lapsed')
  local hold = take_back(account, id)
  if hold then
    redis.call('HSET', lapsed, id, hold)
    redis.call('EXPIRE', lapsed, remembered_s)
  end
end

local due = redis.call('ZRANGE', LEASES, '-inf', now_us, 'BYSCORE', 'LIMIT', 0, most)
for _, key in ipairs(due) do
  local holds = beside(key, 'holds')
  local silent = redis.call('ZRANGE', holds, '-inf', now_us, 'BYSCORE', 'LIMIT', 0, most)
  -- and those of a clock that was ahead
  for _, id in ipairs(redis.call('ZRANGE', holds, now_us + 2 * lease_us, '+inf', 'BYSCORE', 'LIMIT', 0, most)) do
    silent[#silent + 1] = id
  end
  if #silent > 0 then
    local account = read(key)
    for _, id in ipairs(silent) do lapse(account, id) end
    write(account)
  end
  local first = redis.call('ZRANGE', holds, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', LEASES, math.min(tonumber(first[2]), now_us + lease_us), key)
  else
    redis.call('ZREM', LEASES, key)
  end
end
return #due
