-- Whose turn it is. KEYS: the holder. ARGV: who asks, and for how many milliseconds; 0 gives the turn back.
-- Returns 1 where it is the asker's turn, and 0 where it is another's or was given back.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
