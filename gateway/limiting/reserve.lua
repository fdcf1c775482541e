-- Admits a request to all of its accounts, or to none.
--
-- KEYS: the set of ledgers that are summed up, the epoch, the leases, then each account.
-- ARGV: request id, ledger (empty where no budget is asked of), lease in microseconds, the most that the request can
-- cost, its input's cost, an output token's price a million, its most output tokens (0: not known), its input tokens;
-- then of each account requests and tokens a minute, requests at once, budget a day and whether it is hard, and the
-- same a month; -1 is no limit.
--
-- Returns what refuses it ('' where nothing does), microseconds until it would be admitted, the account's number, the
-- epoch, of the first account that has one the request meter's limit, use and microseconds until it is empty, the same
-- of the token meter (-1 where there is none), and what each account has reserved, "nanodollars:tokens".
local id, ledger, lease_us = ARGV[1], ARGV[2], tonumber(ARGV[3])
local worst, input_cost, output_price = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most_output, input_tokens = tonumber(ARGV[7]), tonumber(ARGV[8])
local FIRST_ARG, ARGS, FIRST_KEY, FIRST_OUTPUT = 9, 7, 4, 512

local epoch = redis.call('GET', KEYS[2]) or ''
if ledger ~= '' and redis.call('SISMEMBER', KEYS[1], ledger) == 0 then
  return {'unseeded', 0, 0, epoch, -1, 0, 0, -1, 0, 0, {}}
end

local function until_tomorrow() return (today + 1) * 86400000000 - now_us end

local function until_next_month()
  local days = 28
  while month_of(today - days_passed + days) == this_month do days = days + 1 end
  return (today - days_passed + days) * 86400000000 - now_us
end

local function load(number)
  local account = read(KEYS[FIRST_KEY + number - 1])
  local first = FIRST_ARG + ARGS * (number - 1)
  for i, name in ipairs({'rpm', 'tpm', 'parallel', 'day_limit', 'day_hard', 'month_limit', 'month_hard'}) do
    account[name] = tonumber(ARGV[first + i - 1])
  end
  local output = account.recent or FIRST_OUTPUT
  if most_output > 0 then output = math.min(output, most_output) end
  local hard = account.day_limit >= 0 and account.day_hard == 1 or account.month_limit >= 0 and account.month_hard == 1
  account.nanousd = hard and worst or math.min(worst, input_cost + math.ceil(output * output_price / 1000000))
  account.taken = input_tokens + (most_output > 0 and most_output or math.ceil(output))
  if account.tpm >= 0 then account.taken = math.min(account.taken, account.tpm) end
  return account
end

local function fill(account, meter, limit, amount)
  account[meter], account[meter .. '_at'] = drained(account, meter, limit) + amount, now_us
end

local function refusal(account)
  if account.parallel >= 0 and redis.call('ZCARD', beside(account.key, 'holds')) >= account.parallel then
    return 'parallel', 1000000
  end
  if account.rpm >= 0 then
    local over = drained(account, 'requests', account.rpm) + 1 - account.rpm
    if over > 1e-9 then return 'requests', math.ceil(over * 60000000 / account.rpm) end
  end
  if account.tpm >= 0 then
    local over = drained(account, 'tokens', account.tpm) + account.taken - account.tpm
    if over > 1e-6 then return 'tokens', math.ceil(over * 60000000 / account.tpm) end
  end
  local due = account.held + account.nanousd
  if account.month_limit >= 0 and account.month_spent + due > account.month_limit then
    return 'month', until_next_month()
  end
  if account.day_limit >= 0 and account.day_spent + due > account.day_limit then return 'day', until_tomorrow() end
end

local accounts = {}
for number = 1, #KEYS - FIRST_KEY + 1 do accounts[number] = load(number) end

local why, wait_us, by = '', 0, 0
for number, account in ipairs(accounts) do
  local reason, wait = refusal(account)
  if reason and (why == '' or wait > wait_us) then why, wait_us, by = reason, wait, number end
end

local function standing(meter, limit)
  for _, account in ipairs(accounts) do
    local most = account[limit]
    if most >= 0 then
      local used = drained(account, meter, most)
      return most, math.ceil(used - 1e-9), math.ceil(used * 60000000 / most)
    end
  end
  return -1, 0, 0
end

local reserved = {}
if why == '' then
  for number, account in ipairs(accounts) do
    if account.rpm >= 0 then fill(account, 'requests', account.rpm, 1) end
    if account.tpm >= 0 then fill(account, 'tokens', account.tpm, account.taken) end
    reserved[number] = whole(account.nanousd) .. ':' .. whole(account.taken)
    put(account, id, reserved[number], lease_us, KEYS[3])
  end
end

local requests, requests_used, requests_reset = standing('requests', 'rpm')
local tokens, tokens_used, tokens_reset = standing('tokens', 'tpm')
return {why, wait_us, by, epoch, requests, requests_used, requests_reset, tokens, tokens_used, tokens_reset, reserved}
