-- KEYS: a lease. ARGV: its holder's token, the milliseconds that it lasts from now.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
