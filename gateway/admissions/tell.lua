-- Tells other gateways of admissions. KEYS: rows, version. ARGV: for each its gate, its time in seconds, and the row.
-- A row takes the place of an older one of its gate. Returns how many did.
local told = 0
for i = 1, #ARGV, 3 do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  if not known or tonumber(string.match(known, '^%S+')) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
    told = told + 1
  end
end
if told > 0 then redis.call('INCR', KEYS[2]) end
return told
