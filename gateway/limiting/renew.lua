-- A worker's word that its requests are still under way. What Valkey has forgotten of them, or given up, is held again.
--
-- KEYS: the epoch, the leases, then the account of each hold. ARGV: lease in microseconds, then of each hold the request
-- id and what it has reserved. Returns the epoch that they are held in now.
local lease_us = tonumber(ARGV[1])
for number = 1, #KEYS - 2 do
  local key, id, hold = KEYS[2 + number], ARGV[2 * number], ARGV[2 * number + 1]
  redis.call('ZADD', beside(key, 'holds'), 'XX', now_us + lease_us, id)
  if redis.call('HEXISTS', key, 'hold:' .. id) == 0 then
    redis.call('HDEL', beside(key, 'lapsed'), id)
    put(read(key), id, hold, lease_us, KEYS[2])
  end
end
return redis.call('GET', KEYS[1]) or ''
