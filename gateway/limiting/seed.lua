-- Adds what a ledger says was spent. To do it again in the same epoch changes nothing.
--
-- KEYS: the set of ledgers that are summed up, the epoch, then each account's hash. ARGV: the ledger, an epoch to begin
-- with, 1 where these accounts are its last, then each account's sum of the day and of the month.
redis.call('SET', KEYS[2], ARGV[2], 'NX')
for number = 1, #KEYS - 2 do
  local key = KEYS[2 + number]
  if redis.call('HSETNX', key, 'ledger:' .. ARGV[1], 1) == 1 then
    local account = read(key)
    account.day_spent = account.day_spent + tonumber(ARGV[2 + 2 * number])
    account.month_spent = account.month_spent + tonumber(ARGV[3 + 2 * number])
    write(account)
  end
end
if ARGV[3] == '1' then redis.call('SADD', KEYS[1], ARGV[1]) end
return 1
