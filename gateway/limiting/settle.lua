-- Ends a request: what it has reserved is given back, what it has cost is booked. To do it again changes nothing.
--
-- KEYS: the epoch, then each account. ARGV: request id, the epoch that it was admitted in ('': not known), its cost, its
-- tokens, its output tokens (-1: not known); then each account's tokens a minute, or -1. Returns how many accounts knew
-- of it.
local id, admitted_in = ARGV[1], ARGV[2]
local cost, tokens, output = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local FOLLOW = 0.2 -- how much the last answer counts in what the next is expected to be

local epoch = redis.call('GET', KEYS[1]) or ''
local forgotten = epoch ~= '' and admitted_in ~= '' and epoch ~= admitted_in

-- It may have fallen silent for a while and lapsed: nothing is held for it any more, but its end counts.
local function take_lapsed(account)
  local lapsed = beside(account.key, 'lapsed')
  local hold = redis.call('HGET', lapsed, id)
  if hold then redis.call('HDEL', lapsed, id) end
  return hold
end

local known = 0
for number = 1, #KEYS - 1 do
  local account = read(KEYS[1 + number])
  local hold = take_back(account, id) or take_lapsed(account)
  if hold then
    known = known + 1
    local _, taken = parts(hold)
    local tpm = tonumber(ARGV[5 + number])
    if tpm >= 0 then
      account.tokens = math.max(0, drained(account, 'tokens', tpm) + tokens - taken)
      account.tokens_at = now_us
    end
    if output >= 0 then
      account.recent = account.recent and account.recent + FOLLOW * (output - account.recent) or output
    end
  end
  -- Valkey has since lost what it knew, and the ledger was summed up, perhaps before this request was in it.
  if hold or forgotten then
    account.day_spent = account.day_spent + cost
    account.month_spent = account.month_spent + cost
    write(account)
  end
end
return known
