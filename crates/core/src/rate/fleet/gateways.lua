-- How many gateways share a limit: each says from time to time that it is there.
--
-- KEYS[1]  a sorted set of their ids, by the time in milliseconds until which each counts
-- ARGV     the gateway's id, for how long it counts
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
