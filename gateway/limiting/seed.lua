-- Adds what a ledger says was spent. To do it again in the same epoch changes nothing.
--
-- KEYS: the set of ledgers that are summed up, the epoch, then each account's hash. ARGV: the ledger, an epoch to begin
-- with, 'last' where nothing of the ledger follows, 'own' or 'other', then each account's sum of the day and of the month.
--
-- Who tells of another gateway's ledger knows only what is in the store by now: it is told once, and not at all where
-- that gateway has told of itself. What the gateway itself knows beyond that is added when it tells.
local ledger, of_itself = ARGV[1], ARGV[4] == 'own'
redis.call('SET', KEYS[2], ARGV[2], 'NX')
local settled = redis.call('SISMEMBER', KEYS[1], ledger) == 1

local function told_before(key)
  local told = redis.call('HGET', key, 'ledger:' .. ledger)
  if not told then return 'nothing', 0, 0 end
  local day, of_day, month, of_month = string.match(told, '^(%d+):(%d+):(%d+):(%d+)$')
  if not day then return 'all', 0, 0 end
  return 'some', tonumber(day) == today and tonumber(of_day) or 0, tonumber(month) == this_month and tonumber(of_month) or 0
end

for number = 1, #KEYS - 2 do
  local key, day, month = KEYS[2 + number], tonumber(ARGV[3 + 2 * number]), tonumber(ARGV[4 + 2 * number])
  local told, told_day, told_month = told_before(key)
  if told == 'nothing' and not settled or told == 'some' and of_itself then
    local account = read(key)
    account.day_spent = account.day_spent + math.max(0, day - told_day)
    account.month_spent = account.month_spent + math.max(0, month - told_month)
    local sums = table.concat({whole(today), whole(day), whole(this_month), whole(month)}, ':')
    write(account, 'ledger:' .. ledger, of_itself and 1 or sums)
  end
end
if ARGV[3] == 'last' then redis.call('SADD', KEYS[1], ledger) end
return 1
