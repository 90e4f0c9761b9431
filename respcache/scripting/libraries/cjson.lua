-- cjson: JSON as lua-cjson 2.1.0 inside Redis reads and writes it.
--
-- Encoding collects pieces in a table and joins them at the end; numbers stay numbers in it, since concat writes them
-- with %.14g, which is the default precision. Decoding tries patterns that take a whole plain string or number at once,
-- and falls back on `next_token` (tokens.lua), which alone knows every form and every error.
--
-- Each nested table is exactly one frame of one recursive function, so the level of the caller, whose line errors
-- carry, is known: depth + 2.

local arguments, load_tokens = ...
local bad, string_at, integer_at, to_int32 = arguments.bad, arguments.string_at, arguments.integer_at, arguments.to_int32
local STACK = arguments.STACK
local error, getmetatable, next, rawget, select, tonumber, type = error, getmetatable, next, rawget, select, tonumber, type
local byte, char, find, format, gsub = string.byte, string.char, string.find, string.format, string.gsub
local match, sub = string.match, string.sub
local concat, floor = table.concat, math.floor

local INT_MAX = 0x7fffffff

-- Redis' null is a light userdata of address 0. Lua code can make only full ones.
local null = newproxy(true)
do
  local meta = getmetatable(null)
  meta.__tostring = function() return "userdata: (nil)" end
  meta.__metatable = false
end

local tokens = load_tokens(null)
local next_token, WORDS, VALUES = tokens.next, tokens.WORDS, tokens.VALUES

local ESCAPED = '[%z\1-\31"\\/\127]'
local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\127"] = "\\u007f" }
for code = 0, 31 do
  ESCAPES[char(code)] = format("\\u%04x", code)
end
for letter, character in next, { b = "\b", t = "\t", n = "\n", f = "\f", r = "\r" } do
  ESCAPES[character] = "\\" .. letter
end

-- The keys of objects repeat, so their encoded forms are kept, short ones and not too many.
local KEPT_KEYS, KEPT_LENGTH = 1000, 64
local kept, kept_count = {}, 0

local function quote(text)
  if find(text, ESCAPED) then
    text = gsub(text, ESCAPED, ESCAPES)
  end
  return '"' .. text .. '"'
end

local function member(key)
  local encoded = quote(key) .. ":"
  if #key <= KEPT_LENGTH then
    if kept_count == KEPT_KEYS then
      kept, kept_count = {}, 0
    end
    kept[key] = encoded
    kept_count = kept_count + 1
  end
  return encoded
end

-- Raise what a token that is not `expected` gives. `depth` is that of the parse function that calls this.
local function unexpected(expected, kind, value, position, depth)
  local found = kind == "T_ERROR" and value or kind
  error(format("Expected %s but found %s at character %d", expected, found, position), depth + 3)
end

-- How many elements an array of this table has; 0 or less if it is an object; nil if it is an array with too many
-- holes. Integers are C ints in lua-cjson: an index that does not fit becomes the smallest.
local function array_length(items, sparse_ratio, sparse_safe)
  local length = 0
  for key in next, items do
    length = length + 1
    if key ~= length then
      length = nil
      break
    end
  end
  if length then
    return length
  end
  local max, count = 0, 0
  for key in next, items do
    if type(key) ~= "number" or key < 1 or floor(key) ~= key then
      return -1
    end
    if key > max then
      max = key <= INT_MAX and key or -INT_MAX - 1
    end
    count = count + 1
  end
  if sparse_ratio > 0 and max > to_int32(count * sparse_ratio) and max > sparse_safe then
    return nil
  end
  return max
end

-- A module with a configuration of its own: what is configured are the locals at its top.
local function new()
  local sparse_convert, sparse_ratio, sparse_safe = false, 2, 10
  local encode_max_depth, decode_max_depth = 1000, 1000
  local encode_invalid, decode_invalid = 0, true -- 0 off, 1 on, 2 null
  local precision, keep_buffer = 14, true
  local number_format = "%.14g"

  -- A number's piece. `level` is that of the script that called encode.
  local function number_piece(number, level)
    if number - number ~= 0 then -- NaN or an infinity
      if encode_invalid == 0 then
        error("Cannot serialise number: must not be NaN or Inf", level + 1)
      elseif encode_invalid == 2 then
        return "null"
      end
      return number ~= number and "nan" or (number > 0 and "inf" or "-inf")
    end
    return precision == 14 and number or format(number_format, number)
  end

  -- The piece of what is no table.
  local function scalar(value, kind, level)
    if kind == "string" then
      return quote(value)
    elseif kind == "number" then
      return number_piece(value, level + 1)
    elseif kind == "boolean" then
      return value and "true" or "false"
    elseif value == nil or value == null then
      return "null"
    end
    error("Cannot serialise " .. kind .. ": type not supported", level + 1)
  end

  -- Append a table to the first `count` pieces, and return the new count. `slots` are those of its stack that the C
  -- function would have taken by now.
  local function append(items, depth, slots, pieces, count)
    if depth > encode_max_depth or slots + 3 > STACK then
      error(format("Cannot serialise, excessive nesting (%d)", depth), depth + 2)
    end
    local length = array_length(items, sparse_ratio, sparse_safe)
    if not length and not sparse_convert then
      error("Cannot serialise table: excessively sparse array", depth + 2)
    end
    if length and length > 0 then
      local raw = getmetatable(items) ~= nil
      pieces[count + 1] = "["
      count = count + 1
      for index = 1, length do
        if index > 1 then
          count = count + 1
          pieces[count] = ","
        end
        local value
        if raw then
          value = rawget(items, index)
        else
          value = items[index]
        end
        local kind = type(value)
        if kind == "table" then
          count = append(value, depth + 1, slots + 1, pieces, count)
        else
          count = count + 1
          pieces[count] = scalar(value, kind, depth + 2)
        end
      end
      pieces[count + 1] = "]"
      return count + 1
    end
    local separator = "{"
    for key, value in next, items do
      pieces[count + 1] = separator
      separator = ","
      local name = kept[key]
      if name then
        pieces[count + 2] = name
        count = count + 2
      else
        local kind = type(key)
        if kind == "string" then
          pieces[count + 2] = member(key)
          count = count + 2
        elseif kind == "number" then
          pieces[count + 2] = '"'
          pieces[count + 3] = number_piece(key, depth + 2)
          pieces[count + 4] = '":'
          count = count + 4
        else
          error("Cannot serialise " .. kind .. ": table key must be a number or string", depth + 2)
        end
      end
      local kind = type(value)
      if kind == "table" then
        count = append(value, depth + 1, slots + 2, pieces, count)
      else
        count = count + 1
        pieces[count] = scalar(value, kind, depth + 2)
      end
    end
    if separator == "{" then
      pieces[count + 1] = "{}"
      return count + 1
    end
    pieces[count + 1] = "}"
    return count + 1
  end

  local function encode(...)
    if select("#", ...) ~= 1 then
      bad(1, "expected 1 argument")
    end
    local value = ...
    local kind = type(value)
    if kind == "table" then
      local pieces = {}
      return concat(pieces, "", 1, append(value, 1, 1, pieces, 0))
    end
    -- concat makes a string of a number.
    return concat({ scalar(value, kind, 2) })
  end

  local parse_array, parse_object

  -- The value at `position` and the position after it. Of an array or an object, which only `decode` leaves to this: nil,
  -- the position after its bracket and the function that parses it.
  local function parse_value(text, position, depth)
    local kind, value, after, start = next_token(text, position, decode_invalid)
    if kind == "T_ARR_BEGIN" then
      return nil, after, parse_array
    elseif kind == "T_OBJ_BEGIN" then
      return nil, after, parse_object
    elseif value == nil or kind == "T_ERROR" then
      unexpected("value", kind, value, start, depth + 1)
    end
    return value, after
  end

  local function too_deep(depth, position)
    error(format("Found too many nested data structures (%d) at character %d", depth, position), depth + 3)
  end

  -- The value at `position`, if it is a plain scalar that begins with this byte, and the position after it and after
  -- whitespace; nil for all else, known to `next_token`.
  local function plain(text, position, code)
    if code == 34 then
      return match(text, '^"([^"\\%z]*)"[ \t\n\r]*()', position)
    end
    local word = WORDS[code]
    if word then
      local after = position + #word
      if sub(text, position, after - 1) == word then
        return VALUES[word], after
      end
    elseif decode_invalid then
      local digits, after = match(text, "^(-?%d+%.?%d*)[ \t\n\r]*()", position)
      if digits then
        code = byte(text, after)
        if code ~= 101 and code ~= 69 and code ~= 120 and code ~= 88 then -- e E x X: there is more to it
          return tonumber(digits), after
        end
      end
    end
  end

  -- Parse what follows an opening bracket; return the table and the position after the closing bracket. `slots` is what
  -- the C function has on its stack: for a value in an array the array, in an object the object and the key.
  function parse_array(text, position, depth, slots)
    if depth > decode_max_depth or slots + 2 > STACK then
      too_deep(depth, position - 1)
    end
    local items, count = {}, 0
    local closing = match(text, "^[ \t\n\r]*%]()", position)
    if closing then
      return items, closing
    end
    while true do
      local code = byte(text, position)
      if code and code <= 32 then
        position = match(text, "^[ \t\n\r]*()", position)
        code = byte(text, position)
      end
      local value, after
      if code == 123 then -- {
        value, after = parse_object(text, position + 1, depth + 1, slots + 1)
      elseif code == 91 then -- [
        value, after = parse_array(text, position + 1, depth + 1, slots + 1)
      else
        value, after = plain(text, position, code)
      end
      if value == nil then
        value, after = parse_value(text, position, depth)
      end
      count = count + 1
      items[count] = value
      code = byte(text, after)
      if code ~= 44 and code ~= 93 then -- , ]
        local kind, wrong, _, start = next_token(text, after, decode_invalid)
        if kind ~= "T_COMMA" and kind ~= "T_ARR_END" then
          unexpected("comma or array end", kind, wrong, start, depth)
        end
        code, after = byte(text, start), start
      end
      if code == 93 then
        return items, after + 1
      end
      position = after + 1
    end
  end

  function parse_object(text, position, depth, slots)
    if depth > decode_max_depth or slots + 3 > STACK then
      too_deep(depth, position - 1)
    end
    local items = {}
    local closing = match(text, "^[ \t\n\r]*}()", position)
    if closing then
      return items, closing
    end
    while true do
      local key, after = match(text, '^[ \t\n\r]*"([^"\\%z]*)"[ \t\n\r]*:[ \t\n\r]*()', position)
      if not key then
        local kind, start
        kind, key, after, start = next_token(text, position, decode_invalid)
        if kind ~= "T_STRING" then
          unexpected("object key string", kind, key, start, depth)
        end
        local wrong
        kind, wrong, after, start = next_token(text, after, decode_invalid)
        if kind ~= "T_COLON" then
          unexpected("colon", kind, wrong, start, depth)
        end
        after = match(text, "^[ \t\n\r]*()", after)
      end
      position = after
      local value
      local code = byte(text, position)
      if code == 123 then -- {
        value, after = parse_object(text, position + 1, depth + 1, slots + 2)
      elseif code == 91 then -- [
        value, after = parse_array(text, position + 1, depth + 1, slots + 2)
      else
        value, after = plain(text, position, code)
      end
      if value == nil then
        value, after = parse_value(text, position, depth)
      end
      items[key] = value
      code = byte(text, after)
      if code ~= 44 and code ~= 125 then -- , }
        local kind, wrong, _, start = next_token(text, after, decode_invalid)
        if kind ~= "T_COMMA" and kind ~= "T_OBJ_END" then
          unexpected("comma or object end", kind, wrong, start, depth)
        end
        code, after = byte(text, start), start
      end
      if code == 125 then
        return items, after + 1
      end
      position = after + 1
    end
  end

  local function decode(...)
    local given = select("#", ...)
    if given ~= 1 then
      bad(1, "expected 1 argument")
    end
    local text = string_at(1, ..., given)
    if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
      error("JSON parser does not support UTF-16 or UTF-32", 2)
    end
    local value, after, nested = parse_value(text, 1, 0)
    if nested then
      value, after = nested(text, after, 1, 1)
    end
    local kind, wrong, _, start = next_token(text, after, decode_invalid)
    if kind ~= "T_END" then
      unexpected("the end", kind, wrong, start, 0)
    end
    return value
  end

  -- Options. Each function takes new values, or nothing, and returns the current ones.

  -- An int of C. One that is out of range is always said to be argument 1, whichever it is.
  local function integer_option(position, value, given, current, min, max)
    if value == nil then
      return current
    end
    local number = to_int32(integer_at(position, value, given, 1))
    if number < min or number > max then
      bad(1, format("expected integer between %d and %d", min, max), 1)
    end
    return number
  end

  local function choice_option(value, given, current, choices)
    if value == nil then
      return current
    elseif type(value) == "boolean" then
      return choices[value and "on" or "off"]
    end
    local text = match(string_at(1, value, given, 1), "^[^%z]*")
    if choices[text] == nil then
      bad(1, format("invalid option '%s'", text), 1)
    end
    return choices[text]
  end

  local SWITCH = { off = false, on = true }
  local INVALID = { off = 0, on = 1, null = 2 }
  local INVALID_NAMES = { [0] = false, [1] = true, [2] = "null" }

  local function at_most(most, given)
    if given > most then
      bad(most + 1, "found too many arguments", 1) -- the caller is the one that errors name
    end
    return given
  end

  local module = { encode = encode, decode = decode, null = null, new = new, _NAME = "cjson", _VERSION = "2.1.0" }

  function module.encode_sparse_array(...)
    local given = at_most(3, select("#", ...))
    local convert, ratio, safe = ...
    sparse_convert = choice_option(convert, given, sparse_convert, SWITCH)
    sparse_ratio = integer_option(2, ratio, given, sparse_ratio, 0, INT_MAX)
    sparse_safe = integer_option(3, safe, given, sparse_safe, 0, INT_MAX)
    return sparse_convert, sparse_ratio, sparse_safe
  end

  function module.encode_max_depth(...)
    local given = at_most(1, select("#", ...))
    encode_max_depth = integer_option(1, ..., given, encode_max_depth, 1, INT_MAX)
    return encode_max_depth
  end

  function module.decode_max_depth(...)
    local given = at_most(1, select("#", ...))
    decode_max_depth = integer_option(1, ..., given, decode_max_depth, 1, INT_MAX)
    return decode_max_depth
  end

  function module.encode_number_precision(...)
    local given = at_most(1, select("#", ...))
    precision = integer_option(1, ..., given, precision, 1, 14)
    number_format = "%." .. precision .. "g"
    return precision
  end

  function module.encode_keep_buffer(...)
    local given = at_most(1, select("#", ...))
    keep_buffer = choice_option(..., given, keep_buffer, SWITCH)
    return keep_buffer
  end

  function module.encode_invalid_numbers(...)
    local given = at_most(1, select("#", ...))
    encode_invalid = choice_option(..., given, encode_invalid, INVALID)
    return INVALID_NAMES[encode_invalid]
  end

  function module.decode_invalid_numbers(...)
    local given = at_most(1, select("#", ...))
    decode_invalid = choice_option(..., given, decode_invalid, SWITCH)
    return decode_invalid
  end

  return module
end

return new()
