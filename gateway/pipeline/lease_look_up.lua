-- The kept answer; or 1: the answer is the asker's to make; or {token}: whoever has this token makes it; or 0: nobody is
-- to be waited for. KEYS: the answer, its lease. ARGV: the asker's token, the lease's milliseconds, an answer's most bytes.
local kept = redis.pcall('GETRANGE', KEYS[1], 0, ARGV[3]) -- no more of what is none of ours
if kept ~= '' then return type(kept) == 'string' and kept or 0 end
local taken = redis.pcall('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if taken then return taken.ok and 1 or 0 end -- where it is no success, Valkey takes nothing now
local holder = redis.pcall('GET', KEYS[2])
if type(holder) ~= 'string' or holder == 'over' then return 0 end
return {holder}
