-- What scripts see of Lua: the globals of Redis, with nothing in them that reaches out of the sandbox or that one script
-- could leave behind for the next.
--
-- Redis patches read-only tables into Lua. Here a read-only table is a *front*: an empty table whose metatable reads from
-- the table behind it and refuses writes. Functions that go past metatables (rawset, next, table.insert ...) are replaced
-- by ones that know fronts.
--
-- Takes: the native functions by name; cjson, cmsgpack, struct, bit as a table of tables; what guards.lua and random.lua
-- returned. Returns: a table of what engine.lua needs.

local natives, libraries, guards, numbers = ...

local collectgarbage, error, getmetatable, load, loadstring = collectgarbage, error, getmetatable, load, loadstring
local next, pairs, rawget, rawset, select = next, pairs, rawget, rawset, select
local setfenv, setmetatable, tonumber, tostring, type, unpack = setfenv, setmetatable, tonumber, tostring, type, unpack
local insert, byte, dump, ceil, floor = table.insert, string.byte, string.dump, math.ceil, math.floor
local debug_getmetatable = debug.getmetatable
local is_native, translate, rethrow_if_dead = guards.is_native, guards.translate, guards.rethrow_if_dead

local READONLY = 'Attempt to modify a readonly table'

-- As luaL_checktype complains. `...` are the arguments, to tell nil from nothing.
local function bad_argument(position, name, expected, ...)
    local got = select('#', ...) < position and 'no value' or type((select(position, ...)))
    error('bad argument #' .. position .. " to '" .. name .. "' (" .. expected .. ' expected, got ' .. got .. ')', 3)
end

-- fronts ---------------------------------------------------------------------------------------------------------------

-- front -> the table behind it; front -> what getmetatable shows.
local behind, shown = {}, {}

local function refuse()
    error(READONLY, 2)
end

local function missing(_, name)
    if type(name) ~= 'string' and type(name) ~= 'number' then
        error('Second argument to luaProtectedTableError must be a string or number', 2)
    end
    error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
end

local function front(of)
    local made = setmetatable({}, { __index = of, __newindex = refuse, __metatable = false })
    behind[made] = of
    return made
end

-- A front that complains about names that it lacks, as the globals do.
local function strict_front(of)
    setmetatable(of, { __index = missing })
    local made = front(of)
    shown[made] = front({ __index = missing })
    return made
end

-- tables ---------------------------------------------------------------------------------------------------------------

local function safe_next(...)
    local of, key = ...
    if type(of) ~= 'table' then
        bad_argument(1, 'next', 'table', ...)
    end
    return next(behind[of] or of, key)
end

local function safe_pairs(...)
    local of = ...
    if behind[of] then
        return safe_next, of, nil
    end
    if type(of) ~= 'table' then
        bad_argument(1, 'pairs', 'table', ...)
    end
    return next, of, nil
end

local function safe_rawget(...)
    local of, key = ...
    if type(of) ~= 'table' then
        bad_argument(1, 'rawget', 'table', ...)
    end
    return rawget(behind[of] or of, key)
end

local function safe_rawset(...)
    local of, key, value = ...
    if behind[of] then
        error(READONLY, 0)
    end
    if type(of) ~= 'table' then
        bad_argument(1, 'rawset', 'table', ...)
    end
    return rawset(of, key, value)
end

local function safe_insert(...)
    local of, first, second = ...
    local count = select('#', ...)
    if behind[of] and count > 1 then
        error(READONLY, 0)
    end
    if type(of) ~= 'table' then
        bad_argument(1, 'insert', 'table', ...)
    end
    if count == 2 then
        return insert(of, first)
    elseif count ~= 3 then
        error("wrong number of arguments to 'insert'", 2)
    end
    local position = tonumber(first)
    if not position then
        bad_argument(2, 'insert', 'number', ...)
    end
    return insert(of, position, second)
end

local function safe_setmetatable(...)
    local of, meta = ...
    if behind[of] then
        error(READONLY, 0)
    end
    if type(of) ~= 'table' then
        bad_argument(1, 'setmetatable', 'table', ...)
    end
    if type(meta) ~= 'table' and (meta ~= nil or select('#', ...) < 2) then
        error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
    end
    local old = getmetatable(of)
    if old ~= nil and old ~= debug_getmetatable(of) then
        error('cannot change a protected metatable', 2)
    end
    return setmetatable(of, meta)
end

local string_meta -- shown instead of the strings' own

local function safe_getmetatable(...)
    local of = ...
    if of == nil and select('#', ...) == 0 then
        error("bad argument #1 to 'getmetatable' (value expected)", 2)
    end
    if behind[of] then
        return shown[of]
    end
    if type(of) == 'string' then
        return string_meta
    end
    if type(of) == 'userdata' then -- cjson.null, which has none in Redis
        return nil
    end
    return getmetatable(of)
end

-- What a call in C may have on its stack, arguments included (LUAI_MAXCSTACK).
local MOST_ON_STACK = 8000

-- A number as x86-64 makes an int of it.
local function int(number)
    if number ~= number or number >= 2 ^ 63 or number < -2 ^ 63 then
        return 0
    end
    return ((number < 0 and ceil or floor)(number) + 2 ^ 31) % 2 ^ 32 - 2 ^ 31
end

-- The same of an argument; nil for what is no number.
local function int_argument(value)
    local number = (type(value) == 'number' or type(value) == 'string') and tonumber(value)
    return number and int(number) or nil
end

-- The original counts in an int, which overflows, and then it writes beyond the stack.
local function safe_unpack(...)
    local of, first, last = ...
    if type(of) ~= 'table' then
        bad_argument(1, 'unpack', 'table', ...)
    end
    local from, to = 1, #of
    if first ~= nil then
        from = int_argument(first)
        if not from then
            bad_argument(2, 'unpack', 'number', ...)
        end
    end
    if last ~= nil then
        to = int_argument(last)
        if not to then
            bad_argument(3, 'unpack', 'number', ...)
        end
    end
    if from > to then
        return
    end
    if to - from + 1 + select('#', ...) > MOST_ON_STACK then
        error('too many results to unpack', 2)
    end
    return unpack(...)
end

-- chunks ---------------------------------------------------------------------------------------------------------------

-- To Lua, a text that begins with this byte is bytecode, which can do anything.
local BYTECODE = 27

local straighten = natives.straighten

-- A chunk without tail calls. The functions of this sandbox are written in Lua, and an error in a call such as
-- `return pairs(nil)` must have the script's line, as with functions in C.
local function straightened(chunk)
    return loadstring(straighten(dump(chunk)))
end

local function loaders(environment)
    local function finish(chunk, problem)
        if chunk then
            chunk, problem = straightened(chunk)
        end
        if chunk then
            return setfenv(chunk, environment)
        end
        problem = translate(problem)
        rethrow_if_dead()
        return nil, problem
    end
    local function load_text(...)
        local text, name = ...
        if type(text) ~= 'string' and type(text) ~= 'number' then
            bad_argument(1, 'loadstring', 'string', ...)
        end
        text = tostring(text)
        name = name == nil and text or tostring(name)
        if byte(text) == BYTECODE then
            text = ' ' .. text -- a syntax error, as in Redis
        end
        return finish(loadstring(text, name))
    end
    local function load_pieces(...)
        local reader, name = ...
        if type(reader) ~= 'function' then
            bad_argument(1, 'load', 'function', ...)
        end
        local first = true
        return finish(load(function()
            local piece = reader()
            if first and type(piece) == 'string' then
                first = false
                if byte(piece) == BYTECODE then
                    return ' ' .. piece
                end
            end
            return piece
        end, name == nil and '=(load)' or tostring(name)))
    end
    return load_text, load_pieces
end

-- odds and ends --------------------------------------------------------------------------------------------------------

-- Scripts may not stop the collector for those after them, nor tune it.
local COLLECTOR_ANSWERS = { stop = 0, restart = 0, setpause = 200, setstepmul = 200 }

local function safe_collectgarbage(option, argument)
    if option == nil or option == 'collect' or option == 'count' or option == 'step' then
        return collectgarbage(option, argument)
    end
    if type(option) ~= 'string' then
        bad_argument(1, 'collectgarbage', 'string', option)
    end
    local answer = COLLECTOR_ANSWERS[option]
    if not answer then
        error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(option) .. "')", 2)
    end
    return answer
end

local function safe_dump(...)
    local body = ...
    if type(body) ~= 'function' then
        bad_argument(1, 'dump', 'function', ...)
    end
    if is_native(body) then
        error('unable to dump given function', 2)
    end
    return dump(body)
end

-- globals --------------------------------------------------------------------------------------------------------------

local function copy(from, changes)
    local made = {}
    for name, value in pairs(from) do
        made[name] = value
    end
    for name, value in pairs(changes or {}) do
        made[name] = value
    end
    return made
end

string.dump = safe_dump -- strings themselves read from this table too
local fronts = {
    string = front(string),
    table = front(copy(table, { insert = safe_insert })),
    math = front(copy(math, { random = numbers.random, randomseed = numbers.randomseed })),
    coroutine = front(copy(coroutine, { create = guards.create, resume = guards.resume, wrap = guards.wrap })),
    os = front({ clock = os.clock }),
}
for name, library in pairs(libraries) do
    fronts[name] = front(copy(library))
end
string_meta = front({ __index = fronts.string })

-- A new set of globals. Returns the front that scripts have as their environment, and the table behind it.
local function globals(redis, more)
    local made = {}
    for _, name in ipairs({ '_VERSION', 'assert', 'error', 'gcinfo', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring', 'type' }) do
        made[name] = _G[name]
    end
    local environment = strict_front(made)
    local load_text, load_pieces = loaders(environment)
    local own = {
        _G = environment, redis = redis, collectgarbage = safe_collectgarbage, getmetatable = safe_getmetatable,
        load = load_pieces, loadstring = load_text, next = safe_next, pairs = safe_pairs, pcall = guards.pcall,
        rawget = safe_rawget, rawset = safe_rawset, setmetatable = safe_setmetatable, unpack = safe_unpack,
        xpcall = guards.xpcall,
    }
    for _, additions in ipairs({ own, fronts, more or {} }) do
        for name, value in pairs(additions) do
            made[name] = value
        end
    end
    return environment, made
end

return {
    behind = behind, copy = copy, front = front, globals = globals, straightened = straightened, strict_front = strict_front,
}
