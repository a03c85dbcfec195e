-- The bucket of one key of a limit, shared by gateways: the generic cell rate algorithm on the store's own clock.
-- Times are in microseconds. tidegate_core::rate::fleet::Bucket is the same in Rust.
--
-- KEYS[1]  a hash: the theoretical arrival time of each window by its name, and by `gateway:` and a gateway's id
--          what is leased to it: units, and until when
-- ARGV     the gateway's id, how long a lease is, how long ago the units began to be spent, how long an answer
--          takes, units spent, units wished for, 1 to forget what was spent before; then of each
--          window its name, interval, span and the time until all is back as far as the gateway knows, where it was
--          alone, else 0
-- answers  units leased, then of each window the time until all is back, other gateways' leases included
local gateway, lease, age = 'gateway:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local trip = math.min(lease, tonumber(ARGV[4]))
local spent, granted, afresh = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local arrivals, others = {}, 0
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if string.sub(name, 1, 8) ~= 'gateway:' then
        arrivals[name] = tonumber(value)
    elseif name ~= gateway then
        local units, ends = string.match(value, '^(%S+) (%S+)$')
        if tonumber(ends) > now then
            others = others + tonumber(units)
        else
            redis.call('HDEL', KEYS[1], name)
        end
    end
end

local last, answer = now, {}
for i = 8, #ARGV, 4 do
    local name, interval, span = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    local ahead = tonumber(ARGV[i + 3])
    local believed = ahead > 0 and now + ahead or 0
    local before = math.max(not afresh and arrivals[name] or 0, now - math.max(age, trip), believed)
    local arrival = before + spent * interval
    if age > lease then
        -- What was spent while the store was away makes no more debts than the burst is.
        arrival = math.min(arrival, math.max(before, now + 2 * span))
    end
    local missing = math.max(arrival - now, 0) + others * interval
    granted = math.min(granted, math.floor((span + trip - missing) / interval + 1e-6))
    answer[#answer + 1] = math.ceil(missing)
    last = math.max(last, arrival)
    redis.call('HSET', KEYS[1], name, string.format('%.3f', arrival))
end
granted = math.max(granted, 0)

if granted > 0 then
    redis.call('HSET', KEYS[1], gateway, string.format('%.0f %.0f', granted, now + lease))
else
    redis.call('HDEL', KEYS[1], gateway)
end
-- A full bucket need not be kept; a lease must be until it ends.
redis.call('PEXPIRE', KEYS[1], math.ceil((last - now + lease) / 1000) + 1000)
table.insert(answer, 1, granted)
return answer
