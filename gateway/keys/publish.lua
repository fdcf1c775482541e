-- Tells the other replicas of keys. KEYS: epoch, sequence, records, changes. ARGV: an epoch to begin with, then an id
-- and a record for each key. Returns the epoch.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[4], redis.call('INCR', KEYS[2]), ARGV[i])
end
return redis.call('GET', KEYS[1])
