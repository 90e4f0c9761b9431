-- What Lua's auxiliary library does for the arguments of C functions, for library functions written in Lua.
--
-- Errors name the function as its caller does and carry the caller's line, so each check must know how many frames it
-- is away from the exposed function: `up` is 0 if the exposed function itself calls `bad`, and 1 if a check in here does.

local error, getinfo, type, tonumber, tostring = error, debug.getinfo, type, tonumber, tostring
local floor, ceil, format = math.floor, math.ceil, string.format

-- Never a tail call: the exposed function must still be on the stack.
local function bad(position, text, up)
  up = up or 0
  local caller = getinfo(2 + up, "n")
  local name = caller.name or "?"
  if caller.namewhat == "method" then -- `self` is not counted
    position = position - 1
    if position == 0 then
      error(format("calling '%s' on bad self (%s)", name, text), 3 + up)
    end
  end
  error(format("bad argument #%d to '%s' (%s)", position, name, text), 3 + up)
end

-- `count` is the number of arguments that were given: one that is missing has no type, and nil has one.
local function bad_type(position, expected, value, count, up)
  local found = position > count and "no value" or type(value)
  bad(position, expected .. " expected, got " .. found, up + 1)
end

-- A number's text is accepted in place of a string, and the other way around, as everywhere in Lua.
local function string_at(position, value, count, up)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return tostring(value)
  end
  bad_type(position, "string", value, count, (up or 0) + 1)
end

-- The number of a value, or nil.
local function numeric(value)
  local kind = type(value)
  if kind == "number" then
    return value
  end
  return kind == "string" and tonumber(value) or nil
end

local function number_at(position, value, count, up)
  local number = numeric(value)
  if not number then
    bad_type(position, "number", value, count, (up or 0) + 1)
  end
  return number
end

-- A double as x86-64 converts it to int64_t: towards zero, and the smallest integer for what does not fit.
local function to_int64(number)
  if number >= -2 ^ 63 and number < 2 ^ 63 then
    return number < 0 and ceil(number) or floor(number)
  end
  return -2 ^ 63
end

local function to_int32(integer)
  return (integer + 2 ^ 31) % 2 ^ 32 - 2 ^ 31
end

local function integer_at(position, value, count, up)
  local number = numeric(value)
  if not number then
    bad_type(position, "number", value, count, (up or 0) + 1)
  end
  return to_int64(number)
end

return {
  bad = bad,
  string_at = string_at,
  number_at = number_at,
  integer_at = integer_at,
  numeric = numeric,
  to_int32 = to_int32,
  to_int64 = to_int64,
  -- Slots of its stack that one call of a C function may use (LUAI_MAXCSTACK): what bounds nesting in Redis' libraries.
  STACK = 8000,
}
