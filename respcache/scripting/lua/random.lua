-- math.random and math.randomseed: Redis' own generator, drand48's, so that the numbers are Redis'. One sequence runs on
-- from script to script, as in Redis since 7.0.

local error, floor, select, tonumber, type = error, math.floor, select, tonumber, type

-- The 48 bits of its state in three parts of 16.
local low, middle, high = 0x330E, 0xABCD, 0x1234

local function seed(value)
    value = value % 4294967296
    low, middle, high = 0x330E, value % 65536, floor(value / 65536)
end

local function random_unit()
    local product = 0xE66D * low + 0xB
    local first = product % 65536
    product = floor(product / 65536) + 0xE66D * middle + 0xDEEC * low
    local second = product % 65536
    product = floor(product / 65536) + 0xE66D * high + 0xDEEC * middle + 0x5 * low
    low, middle, high = first, second, product % 65536
    return (high * 32768 + floor(middle / 2)) % 2147483647 / 2147483647
end

-- An argument cut to an integer, as luaL_checkint does.
local function int_argument(position, name, ...)
    local value = select(position, ...)
    local number = (type(value) == 'number' or type(value) == 'string') and tonumber(value)
    if not number then
        local got = select('#', ...) < position and 'no value' or type(value)
        error('bad argument #' .. position .. " to '" .. name .. "' (number expected, got " .. got .. ')', 3)
    end
    return number < 0 and -floor(-number) or floor(number)
end

local function random(...)
    local unit, count = random_unit(), select('#', ...)
    if count == 0 then
        return unit
    elseif count > 2 then
        error('wrong number of arguments', 2)
    end
    local from, to = 1, int_argument(1, 'random', ...)
    if count == 2 then
        from, to = to, int_argument(2, 'random', ...)
    end
    if from > to then
        error('bad argument #' .. count .. " to 'random' (interval is empty)", 2)
    end
    return floor(unit * (to - from + 1)) + from
end

local function randomseed(...)
    seed(int_argument(1, 'randomseed', ...))
end

return { random = random, randomseed = randomseed }
