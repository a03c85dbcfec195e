-- For wrk: each request asks for another path. Argument: what all paths begin with.
local prefix, number = "/", 0

function init(args)
  prefix = args[1]
end

function request()
  number = number + 1
  return wrk.format(nil, prefix .. number)
end
