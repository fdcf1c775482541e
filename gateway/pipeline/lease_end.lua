-- KEYS: a lease. ARGV: its holder's token, the milliseconds for which nobody need wait or hold back; 0: the next may take it.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], 'over', 'PX', ARGV[2]) end
end
