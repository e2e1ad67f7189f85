-- SPDX-License-Identifier: MIT
-- wrk script: heavy and light requests in the given share, the same sequence in every run.
-- usage: wrk … -s mix.lua URL -- HEAVY_PATH LIGHT_PATH PERCENT
--
-- Drawn from a generator of fixed seed (Park and Miller's) rather than every n-th request: with 50
-- connections served in turn, every 50th request would always fall to the same connection.

local heavy, light, share
local state = 20260101

function init(args)
    heavy = wrk.format("GET", args[1])
    light = wrk.format("GET", args[2])
    share = tonumber(args[3]) / 100
end

function request()
    state = state * 16807 % 2147483647
    if state / 2147483647 < share then
        return heavy
    end
    return light
end
