-- What is left of an account's budgets: of those that a key is charged to, the least. Changes nothing.
--
-- KEYS: the set of ledgers that are summed up, then each account. ARGV: the ledger, then each account's budget a day and
-- a month; -1 is none. Returns millionths of the budget that has the smallest share left, and nano-dollars of the one
-- that has the fewest; nothing where that is not known.
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return {} end
local share, nanousd = 1000000, nil
for number = 1, #KEYS - 1 do
  local account = read(KEYS[1 + number])
  for place, window in ipairs({'day', 'month'}) do
    local budget = tonumber(ARGV[2 * number + place - 1])
    if budget >= 0 then
      local left = math.max(0, budget - account[window .. '_spent'] - account.held)
      share = math.min(share, budget > 0 and math.floor(left / budget * 1000000) or 0)
      nanousd = math.min(nanousd or left, left)
    end
  end
end
return {share, nanousd}
