-- wrk with a script that does what any scenario needs at least: build the request and look at the
-- answer. Without the second, wrk would never enter Lua for an answer.
local failures = 0

function request()
  return wrk.format("GET", "/hello")
end

function response(status)
  if status ~= 200 then
    failures = failures + 1
  end
end
