-- Runs scripts and functions, finds out where they failed, and flattens what they return.
--
-- Takes: the native functions by name, and what guards.lua and sandbox.lua returned. Returns: a table of the functions that Python calls.
--
-- A result for Python is either one plain value (string, number, boolean, nil) or several, the first of which says what
-- they are: see the codes below. Nothing that Python gets is a Lua table, so nothing refers from one side to the other.

local natives, guards, sandbox = ...

local getmetatable, loadstring, next, rawget, select, setfenv = getmetatable, loadstring, next, rawget, select, setfenv
local tostring, type, unpack, xpcall = tostring, type, unpack, xpcall
local getinfo, byte = debug.getinfo, string.byte
local state, translate, KILLED, behind = guards.state, guards.translate, guards.KILLED, sandbox.behind

-- ITEMS, item ...: an array of strings and integers. TOKENS, token ...: a reply in tokens. MORE, count: so many values are
-- to be fetched. FAILED, text, source, line, counted. ENDED, source, line: the script had to end.
local ITEMS, TOKENS, MORE, FAILED, ENDED = 1, 2, 3, 4, 5
-- How many values one call returns.
local MOST = 4000
-- How deeply a reply may be nested: where the C stack of Redis ends.
local DEEPEST = 7990

-- where an error happened -----------------------------------------------------------------------------------------------

local OURS = getinfo(1, 'S').source

-- The innermost frame above `level` that is the script's or a C function's; and its level. To the caller, that is the
-- level of the next frame.
local function foreign_frame(level)
    local frame
    repeat
        level = level + 1
        frame = getinfo(level, 'Sl')
    until not frame or frame.source ~= OURS and frame.what ~= 'tail'
    return frame, level
end

-- The source and the line of an error. As in Redis, an error in a C function is at its caller.
local function where()
    local frame, level = foreign_frame(1)
    if frame and frame.what == 'C' then
        frame, level = foreign_frame(level)
    end
    if frame and (frame.what ~= 'C' or getinfo(level, 'S').source ~= OURS) then -- (that frame is what called the script)
        return frame.source, frame.currentline
    end
end

local function located(problem)
    if behind[problem] then
        problem = 'Attempt to modify a readonly table'
    end
    if type(problem) ~= 'table' then
        problem = { err = 'ERR ' .. tostring(problem) }
    end
    local source, line = where()
    if source then
        problem.source, problem.line = source, line
    end
    return problem
end

local ended_source, ended_line

local function handler(problem)
    problem = translate(problem)
    if state.dead then
        ended_source, ended_line = where()
        return KILLED
    end
    problem = located(problem)
    -- What is read here may be computed by metamethods, which are guarded here only.
    return {
        err = problem.err, source = problem.source, line = problem.line,
        ignore_error_stats_update = problem.ignore_error_stats_update,
    }
end

-- replies ---------------------------------------------------------------------------------------------------------------

-- Tokens are the reply in prefix notation. Strings and numbers stand for themselves; `true` says that an operator
-- follows, and its operands: '+' text, '-' text counted, ',' double, '(' digits, '=' format text, 't', 'f', '_', and before their
-- elements '*' count, '%' count, '~' count.
local flatten

local function text_field(value, name)
    local field = rawget(value, name)
    return type(field) == 'string' and field or nil
end

local function operator(out, at, name, first, second)
    out[at + 1], out[at + 2] = true, name
    if first == nil then
        return at + 2
    end
    out[at + 3] = first
    if second == nil then
        return at + 3
    end
    out[at + 4] = second
    return at + 4
end

local function flatten_keys(out, at, of, kind, depth)
    local counted, count = at + 3, 0
    at = operator(out, at, kind, 0)
    for key, value in next, of do
        at = flatten(out, at, key, depth)
        if kind == '%' then
            at = flatten(out, at, value, depth)
        end
        count = count + 1
    end
    out[counted] = count
    return at
end

local function flatten_array(out, at, of, depth)
    local counted, count = at + 3, 0
    at = operator(out, at, '*', 0)
    while true do
        local value = rawget(of, count + 1)
        if value == nil then
            out[counted] = count
            return at
        end
        at = flatten(out, at, value, depth)
        count = count + 1
    end
end

local function is_array(of)
    return getmetatable(of) == nil and of.err == nil and of.ok == nil and of.double == nil and of.big_number == nil
        and of.verbatim_string == nil and of.map == nil and of.set == nil
end

local function flatten_table(out, at, value, depth)
    if is_array(value) then
        return flatten_array(out, at, value, depth)
    end
    local text = text_field(value, 'err')
    if text then
        return operator(out, at, '-', text, rawget(value, 'ignore_error_stats_update') == true)
    end
    text = text_field(value, 'ok')
    if text then
        return operator(out, at, '+', text)
    end
    local double = rawget(value, 'double')
    if type(double) == 'number' then
        return operator(out, at, ',', double == 0 and 1 / double < 0 and '-0' or double) -- lupa loses the sign of a zero
    end
    text = text_field(value, 'big_number')
    if text then
        return operator(out, at, '(', text)
    end
    local verbatim = rawget(value, 'verbatim_string')
    if type(verbatim) == 'table' then
        local format, words = text_field(verbatim, 'format'), text_field(verbatim, 'string')
        if format and words then
            return operator(out, at, '=', format, words)
        end
    end
    local map = rawget(value, 'map')
    if type(map) == 'table' then
        return flatten_keys(out, at, map, '%', depth)
    end
    local set = rawget(value, 'set')
    if type(set) == 'table' then
        return flatten_keys(out, at, set, '~', depth)
    end
    return flatten_array(out, at, value, depth)
end

function flatten(out, at, value, depth)
    local kind = type(value)
    if kind == 'string' or kind == 'number' then
        out[at + 1] = value
        return at + 1
    elseif depth > DEEPEST then
        return operator(out, at, '-', 'ERR reached lua stack limit', false)
    elseif kind == 'table' then
        return flatten_table(out, at, value, depth + 1)
    elseif kind == 'boolean' then
        return operator(out, at, value and 't' or 'f')
    end
    return operator(out, at, '_')
end

-- The number of elements if a table is an array of strings and integers, as most are; else nil. Not for an empty one.
local function plain_count(of)
    if not is_array(of) then
        return nil
    end
    local count = 0
    while true do
        local value = of[count + 1]
        local kind = type(value)
        if kind == 'number' then
            if value % 1 ~= 0 or value >= 2 ^ 53 or value <= -2 ^ 53 then
                return nil
            end
        elseif kind == 'nil' then
            return count > 0 and count or nil
        elseif kind ~= 'string' then
            return nil
        end
        count = count + 1
    end
end

local waiting -- values that Python fetches

local function several(what, values, count)
    if count <= MOST then
        return what, unpack(values, 1, count)
    end
    waiting = values
    return MORE, what, count
end

local function fetch(from, to)
    return unpack(waiting, from, to)
end

local function forget()
    waiting = nil
end

local function result(ok, value)
    if ok then
        local kind = type(value)
        if kind == 'table' then
            local count = plain_count(value)
            if count then
                return several(ITEMS, value, count)
            end
            local out = {}
            return several(TOKENS, out, flatten(out, 0, value, 0))
        elseif kind == 'string' or kind == 'number' or kind == 'boolean' then
            return value
        end
        return nil
    end
    if state.dead then
        return ENDED, ended_source, ended_line
    end
    if type(value) ~= 'table' then -- there was no memory for the handler, or it failed
        return FAILED, 'ERR ' .. tostring(value)
    end
    local text, source, line = value.err, value.source, value.line
    if type(text) ~= 'string' and type(text) ~= 'number' then
        text = 'ERR unknown error'
    end
    if type(source) ~= 'string' or type(line) ~= 'number' and type(line) ~= 'string' then
        source, line = nil, nil
    end
    return FAILED, tostring(text), source, line and tostring(line), value.ignore_error_stats_update == true
end

-- chunks ----------------------------------------------------------------------------------------------------------------

local function compile(text, name, environment)
    if byte(text) == 27 then
        text = ' ' .. text
    end
    local chunk, problem = loadstring(text, name)
    if chunk then
        chunk, problem = sandbox.straightened(chunk)
    end
    if chunk then
        return setfenv(chunk, environment)
    end
    return nil, problem
end

-- scripts ---------------------------------------------------------------------------------------------------------------

local redis = {}
for _, name in ipairs({ 'acl_check_cmd', 'breakpoint', 'call', 'debug', 'error_reply', 'log', 'pcall', 'replicate_commands',
                        'set_repl', 'setresp', 'sha1hex', 'status_reply' }) do
    redis[name] = natives[name]
end
local constants = {
    LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3, REDIS_VERSION = natives.version(),
    REPL_ALL = 3, REPL_AOF = 1, REPL_NONE = 0, REPL_REPLICA = 2, REPL_SLAVE = 2,
}
constants.REDIS_VERSION_NUM = select(2, natives.version())
redis = sandbox.copy(redis, constants)

local script_environment, script_globals = sandbox.globals(sandbox.front(redis), {
    __redis__err__handler = function(problem)
        return located(problem)
    end,
})

local function compile_script(text)
    return compile(text, '@user_script', script_environment)
end

local function prepare()
    state.dead, waiting = false, nil
    guards.forget_coroutines()
end

-- The words in two tables: the first `count` are keys. Without a count they come as tables, since a call can have no more.
local function split(count, ...)
    if not count then
        return ...
    elseif count == 0 then
        return {}, { ... }
    end
    local words, keys, others = { ... }, {}, {}
    for i = 1, count do
        keys[i] = words[i]
    end
    for i = count + 1, #words do
        others[i - count] = words[i]
    end
    return keys, others
end

local function run(script, ...)
    prepare()
    script_globals.KEYS, script_globals.ARGV = split(...)
    return result(xpcall(script, handler))
end

-- functions -------------------------------------------------------------------------------------------------------------

local function_redis = sandbox.copy(redis)
function_redis.breakpoint, function_redis.debug, function_redis.replicate_commands = nil, nil, nil
local library_environment, library_globals = sandbox.globals(sandbox.front(function_redis))

-- A library sees only this much while it loads. Its functions see everything: the environment is the same table, but
-- reads from another one.
local loading_redis = {
    register_function = natives.register_function, log = natives.log, LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2,
    LOG_WARNING = 3, REDIS_VERSION = constants.REDIS_VERSION, REDIS_VERSION_NUM = constants.REDIS_VERSION_NUM,
}
local loading_globals = { redis = sandbox.strict_front(loading_redis) }
sandbox.strict_front(loading_globals)
local environment_meta = debug.getmetatable(library_environment)

local function compile_library(text)
    return compile(text, '@user_function', library_environment)
end

local function load_library(chunk)
    prepare()
    environment_meta.__index = loading_globals
    return result(xpcall(chunk, handler))
end

local function run_function(body, ...)
    prepare()
    environment_meta.__index = library_globals
    local keys, others = split(...)
    return result(xpcall(function() return body(keys, others) end, handler))
end

return {
    compile_library = compile_library, compile_script = compile_script, fetch = fetch, forget = forget,
    load_library = load_library, run = run, run_function = run_function,
}
