-- What has changed. KEYS: epoch, sequence, records, changes. ARGV: the epoch and the sequence number seen last.
-- Returns the epoch ('' where there is none), the newest sequence number, and the records changed since; all of them
-- in another epoch than the one seen.
local epoch = redis.call('GET', KEYS[1])
if not epoch then return {'', 0, {}} end
local seen = epoch == ARGV[1] and ARGV[2] or '0'
local ids = redis.call('ZRANGE', KEYS[4], '(' .. seen, '+inf', 'BYSCORE')
local records = {}
for i = 1, #ids, 1000 do
  for _, record in ipairs(redis.call('HMGET', KEYS[3], unpack(ids, i, math.min(i + 999, #ids)))) do
    records[#records + 1] = record
  end
end
return {epoch, tonumber(redis.call('GET', KEYS[2])), records}
