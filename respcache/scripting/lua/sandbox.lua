-- What scripts see of Lua: the globals of Redis, with nothing in them that reaches out of the sandbox or that one script
-- could leave behind for the next.
--
-- Redis patches read-only tables into Lua. Here a read-only table is a *front*: an empty table whose metatable reads from
-- the table behind it and refuses writes. Functions that go past metatables (rawset, next, table.insert ...) are replaced
-- by ones that know fronts.
--
-- `natives.call` and its like are Python functions as C functions. What such a function raises arrives as userdata; no
-- script sees that, because everything that catches errors is replaced here too, and translates it (`translate`).
--
-- Takes: the native functions by name, and cjson, cmsgpack, struct, bit as a table of tables. Returns: a table of what
-- engine.lua needs.

local natives, libraries = ...

local collectgarbage, error, getmetatable, load, loadstring = collectgarbage, error, getmetatable, load, loadstring
local next, pairs, pcall = next, pairs, pcall
local rawget, rawset, select, setfenv, setmetatable = rawget, rawset, select, setfenv, setmetatable
local tonumber, tostring, type, unpack, xpcall = tonumber, tostring, type, unpack, xpcall
local create, resume = coroutine.create, coroutine.resume
local insert, floor, byte, dump = table.insert, math.floor, string.byte, string.dump
local getinfo, sethook, debug_getmetatable = debug.getinfo, debug.sethook, debug.getmetatable

local READONLY = 'Attempt to modify a readonly table'
-- The name of our own chunks.
local OURS = getinfo(1, 'S').source
-- How many instructions run between two polls.
local POLL = 100000

-- `dead` is KILLED once the running script has to end: nothing catches that.
local state = { dead = false }
local KILLED = {}

-- Functions of Python as C functions, so that error positions and the type are those of Redis. The signal just stays.
for name, native in pairs(natives) do
    if name ~= 'signal' then
        natives[name] = python.as_function(native)
    end
end

-- lupa takes time in proportion to the square of the number of arguments, so many words go over in slices.
local SLICE = 48
local gather = natives.gather

local function with_any_words(native)
    return function(...)
        local count = select('#', ...)
        if count <= SLICE then
            return native(...)
        end
        local words = { ... }
        for from = 1, count - SLICE, SLICE do
            gather(unpack(words, from, from + SLICE - 1))
        end
        return native(unpack(words, count - (count - 1) % SLICE, count))
    end
end

for _, name in pairs({ 'acl_check_cmd', 'call', 'pcall' }) do
    natives[name] = with_any_words(natives[name])
end

-- fronts ----------------------------------------------------------------------------------------------------------------

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

-- errors ----------------------------------------------------------------------------------------------------------------

local describe, SIGNAL = natives.describe, natives.signal

-- What a script gets to see of an error.
local function translate(problem)
    if problem == SIGNAL then
        local text, counted = describe()
        if not text then
            state.dead = KILLED
            return KILLED
        end
        problem = { err = text }
        if counted then
            problem.ignore_error_stats_update = true
        end
    end
    return problem
end

local function rethrow_if_dead()
    if state.dead then
        error(KILLED, 0)
    end
end

-- As luaL_checktype complains. `...` are the arguments, to tell nil from nothing.
local function bad_argument(position, name, expected, ...)
    local got = select('#', ...) < position and 'no value' or type((select(position, ...)))
    error('bad argument #' .. position .. " to '" .. name .. "' (" .. expected .. ' expected, got ' .. got .. ')', 3)
end

-- As in Redis, an error table becomes its text, which is what scripts for Redis before 7 expect.
local function caught(ok, problem, ...)
    if ok then
        return true, problem, ...
    end
    problem = translate(problem)
    rethrow_if_dead()
    if type(problem) == 'table' then
        local text = problem.err
        if type(text) == 'string' or type(text) == 'number' then
            return false, text
        end
    end
    return false, problem
end

local function safe_pcall(...)
    if select('#', ...) == 0 then
        return false, 'attempt to call a boolean value'
    end
    return caught(pcall(...))
end

local function passed(ok, ...)
    if not ok then
        rethrow_if_dead()
    end
    return ok, ...
end

local function safe_xpcall(body, ...)
    if select('#', ...) == 0 then
        error("bad argument #2 to 'xpcall' (value expected)", 2)
    end
    local handler = ...
    return passed(xpcall(body, function(problem)
        problem = translate(problem)
        if state.dead then
            return KILLED
        end
        return handler(problem)
    end))
end

-- the poll --------------------------------------------------------------------------------------------------------------

local interrupted = natives.interrupted

local function poll()
    if state.dead or interrupted() then
        state.dead = KILLED
        error(KILLED, 0)
    end
end

-- Stays for good. The registry has a table of hooks by thread, which would keep an entry for each coroutine.
sethook(poll, '', POLL)
local hooks, main_thread
for key, value in pairs(debug.getregistry()) do
    if type(key) == 'userdata' and type(value) == 'table' and next(value) then
        hooks, main_thread = value, next(value)
    end
end

local polled = setmetatable({}, { __mode = 'k' })

local function forget_coroutines()
    if next(polled) then
        polled = setmetatable({}, { __mode = 'k' })
        for thread in pairs(hooks) do
            if thread ~= main_thread then
                hooks[thread] = nil
            end
        end
    end
end

-- Functions of ours are C functions to scripts.
local function is_native(body)
    local about = getinfo(body, 'S')
    return about.what == 'C' or about.source == OURS
end

-- coroutines ------------------------------------------------------------------------------------------------------------

local function resumed(ok, problem, ...)
    if ok then
        return true, problem, ...
    end
    problem = translate(problem)
    rethrow_if_dead()
    return false, problem
end

local function safe_resume(thread, ...)
    if type(thread) ~= 'thread' then
        error("bad argument #1 to 'resume' (coroutine expected)", 2)
    end
    if not polled[thread] then
        polled[thread] = true
        sethook(thread, poll, '', POLL)
    end
    return resumed(resume(thread, ...))
end

local function safe_create(body, name)
    if type(body) ~= 'function' or is_native(body) then
        error("bad argument #1 to '" .. (name or 'create') .. "' (Lua function expected)", name and 3 or 2)
    end
    return create(body)
end

local function unwrapped(ok, problem, ...)
    if ok then
        return problem, ...
    end
    error(problem, type(problem) == 'string' and 3 or 0)
end

local function safe_wrap(body)
    local thread = safe_create(body, 'wrap')
    return function(...)
        return unwrapped(safe_resume(thread, ...))
    end
end

-- tables ----------------------------------------------------------------------------------------------------------------

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
    return getmetatable(of)
end

-- chunks ----------------------------------------------------------------------------------------------------------------

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

-- numbers ---------------------------------------------------------------------------------------------------------------

-- Redis' own generator, drand48's: the 48 bits in three parts of 16. It runs on from script to script.
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

-- globals ---------------------------------------------------------------------------------------------------------------

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
    math = front(copy(math, { random = random, randomseed = randomseed })),
    coroutine = front(copy(coroutine, { create = safe_create, resume = safe_resume, wrap = safe_wrap })),
    os = front({ clock = os.clock }),
}
for name, library in pairs(libraries) do
    fronts[name] = front(copy(library))
end
string_meta = front({ __index = fronts.string })

-- A new set of globals. Returns the front that scripts have as their environment, and the table behind it.
local function globals(redis, more)
    local made = {}
    for _, name in ipairs({ '_VERSION', 'assert', 'error', 'gcinfo', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring', 'type', 'unpack' }) do
        made[name] = _G[name]
    end
    local environment = strict_front(made)
    local load_text, load_pieces = loaders(environment)
    local own = {
        _G = environment, redis = redis, collectgarbage = safe_collectgarbage, getmetatable = safe_getmetatable,
        load = load_pieces, loadstring = load_text, next = safe_next, pairs = safe_pairs, pcall = safe_pcall,
        rawget = safe_rawget, rawset = safe_rawset, setmetatable = safe_setmetatable, xpcall = safe_xpcall,
    }
    for _, additions in ipairs({ own, fronts, more or {} }) do
        for name, value in pairs(additions) do
            made[name] = value
        end
    end
    return environment, made
end

return {
    KILLED = KILLED, behind = behind, copy = copy, forget_coroutines = forget_coroutines, front = front, globals = globals,
    state = state, straightened = straightened, strict_front = strict_front, translate = translate,
}
