-- The functions of Python, and everything that catches errors: no script sees an error of theirs as it is, or survives
-- its end.
--
-- What a native function raises arrives as the signal, a userdata; `translate` makes of it what the script shall see. Once
-- the script has to end, `state.dead` is set and the error is KILLED, which nothing catches.
--
-- Takes: the native functions by name; they become C functions. Returns: a table of what the other files need.

local natives = ...

local collectgarbage, debug, error, next, pairs, pcall = collectgarbage, debug, error, next, pairs, pcall
local select, setmetatable, type, unpack, xpcall = select, setmetatable, type, unpack, xpcall
local create, resume = coroutine.create, coroutine.resume
local getinfo, sethook = debug.getinfo, debug.sethook

-- The name of our own chunks.
local OURS = getinfo(1, 'S').source
-- How many instructions run between two polls.
local POLL = 100000

local state = { dead = false }
local KILLED = {}

-- natives --------------------------------------------------------------------------------------------------------------

-- Functions of Python as C functions, so that error positions and the type are those of Redis. The signal just stays.
for name, native in pairs(natives) do
    if name ~= 'signal' then
        natives[name] = python.as_function(native)
    end
end

-- lupa takes time in proportion to the square of the number of arguments, so many words go over in slices.
local SLICE = 24
local gather = natives.gather

local function with_any_words(native, native_for_many)
    return function(...)
        local count = select('#', ...)
        if count <= SLICE then
            return native(...)
        end
        local words = { ... }
        for from = 1, count - SLICE, SLICE do
            gather(from == 1, unpack(words, from, from + SLICE - 1))
        end
        return native_for_many(unpack(words, count - (count - 1) % SLICE, count))
    end
end

for _, name in pairs({ 'acl_check_cmd', 'call', 'pcall' }) do
    natives[name] = with_any_words(natives[name], natives['long_' .. name])
end

-- errors ---------------------------------------------------------------------------------------------------------------

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

-- As in Redis, an error table becomes its text, which is what scripts for Redis before 7 expect.
local function caught(ok, problem, ...)
    if ok then
        return true, problem, ...
    end
    problem = translate(problem)
    rethrow_if_dead()
    if problem == 'not enough memory' then
        collectgarbage() -- Lua does not, and what the script tries next would fail too
    end
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

-- the poll -------------------------------------------------------------------------------------------------------------

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

-- coroutines -----------------------------------------------------------------------------------------------------------

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

return {
    KILLED = KILLED, create = safe_create, forget_coroutines = forget_coroutines, is_native = is_native, pcall = safe_pcall,
    rethrow_if_dead = rethrow_if_dead, resume = safe_resume, state = state, translate = translate, wrap = safe_wrap,
    xpcall = safe_xpcall,
}
