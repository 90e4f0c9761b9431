-- cmsgpack: MessagePack as lua-cmsgpack 0.4.0 inside Redis reads and writes it.
--
-- Numbers that are integers are packed in the shortest integer format, all others as a float if that loses nothing, as
-- a double if not. Only those need Python, which packs and unpacks IEEE 754.

local arguments, shortest_float, read_float, read_double = ...
local bad, string_at, integer_at, to_int32 = arguments.bad, arguments.string_at, arguments.integer_at, arguments.to_int32
local STACK = arguments.STACK
local error, next, select, type, unpack = error, next, select, type, unpack
local byte, char, format, reverse, sub = string.byte, string.char, string.format, string.reverse, string.sub
local concat, floor = table.concat, math.floor

-- Tables nested deeper are packed as nil: that is how cyclic tables end.
local MAX_NESTING = 16
local INT_MAX = 0x7fffffff

local function bytes2(value)
  return floor(value / 0x100) % 0x100, value % 0x100
end

local function bytes4(value)
  return floor(value / 0x1000000) % 0x100, floor(value / 0x10000) % 0x100, floor(value / 0x100) % 0x100, value % 0x100
end

-- `value` modulo 2^64: high half first, in two's complement.
local function bytes8(value)
  local a, b, c, d = bytes4(floor(value / 2 ^ 32) % 2 ^ 32)
  return a, b, c, d, bytes4(value % 2 ^ 32)
end

local function pack_number(number)
  if number % 1 ~= 0 or number < -2 ^ 63 or number >= 2 ^ 63 then -- infinity % 1 is NaN
    local low, high = shortest_float(number)
    if high then
      return char(0xcb, bytes4(high)) .. char(bytes4(low))
    end
    return char(0xca, bytes4(low))
  elseif number >= 0 then
    if number <= 0x7f then
      return char(number)
    elseif number <= 0xff then
      return char(0xcc, number)
    elseif number <= 0xffff then
      return char(0xcd, bytes2(number))
    elseif number <= 0xffffffff then
      return char(0xce, bytes4(number))
    end
    return char(0xcf, bytes8(number))
  elseif number >= -0x20 then
    return char(number + 0x100)
  elseif number >= -0x80 then
    return char(0xd0, number + 0x100)
  elseif number >= -0x8000 then
    return char(0xd1, bytes2(number))
  elseif number >= -0x80000000 then
    return char(0xd2, bytes4(number))
  end
  return char(0xd3, bytes8(number))
end

local function string_head(length)
  if length < 32 then
    return char(0xa0 + length)
  elseif length <= 0xff then
    return char(0xd9, length)
  elseif length <= 0xffff then
    return char(0xda, bytes2(length))
  end
  return char(0xdb, bytes4(length))
end

-- The head of an array or a map, of which `fixed`, `short` and `long` are the formats.
local function head(length, fixed, short, long)
  if length <= 15 then
    return char(fixed + length)
  elseif length <= 0xffff then
    return char(short, bytes2(length))
  end
  return char(long, bytes4(length))
end

-- The number of pairs in a table, and whether its keys are exactly 1 to that number.
local function measure(items)
  local count, max = 0, 0
  local array = true
  for key in next, items do
    count = count + 1
    if array and key ~= count then -- in order so far: nothing to check
      if type(key) ~= "number" or key <= 0 or key % 1 ~= 0 or key > INT_MAX then
        array = false
      elseif key > max then
        max = key
      end
    end
  end
  return count, array and max <= count
end

-- Append a value to the first `count` pieces, and return the new count.
local function append(value, level, pieces, count)
  local kind = type(value)
  if kind == "string" then
    pieces[count + 1] = string_head(#value)
    pieces[count + 2] = value
    return count + 2
  elseif kind == "number" then
    pieces[count + 1] = pack_number(value)
  elseif kind == "boolean" then
    pieces[count + 1] = value and "\195" or "\194"
  elseif kind == "table" and level < MAX_NESTING then
    local length, array = measure(value)
    count = count + 1
    if array then
      pieces[count] = head(length, 0x90, 0xdc, 0xdd)
      for index = 1, length do
        count = append(value[index], level + 1, pieces, count)
      end
    else
      pieces[count] = head(length, 0x80, 0xde, 0xdf)
      for key, item in next, value do
        count = append(key, level + 1, pieces, count)
        count = append(item, level + 1, pieces, count)
      end
    end
    return count
  else
    pieces[count + 1] = "\192"
  end
  return count + 1
end

local function pack(...)
  local given = select("#", ...)
  if given == 0 then
    bad(0, "MessagePack pack needs input.")
  elseif 2 * given > STACK then
    bad(0, "Too many arguments for MessagePack pack.")
  end
  local pieces, count = {}, 0
  for index = 1, given do
    count = append((select(index, ...)), 0, pieces, count)
  end
  return concat(pieces, "", 1, count)
end

local CUT = "Missing bytes in input."
-- What `unpack` can return: its own three arguments take slots too.
local MAX_RESULTS = STACK - 3

-- Numbers by their first byte: how many bytes follow, and what they are worth.
local NUMBERS = {
  [0xcc] = { 1, function(data, at) return byte(data, at) end },
  [0xcd] = { 2, function(data, at)
    local a, b = byte(data, at, at + 1)
    return a * 0x100 + b
  end },
  [0xce] = { 4, function(data, at)
    local a, b, c, d = byte(data, at, at + 3)
    return ((a * 0x100 + b) * 0x100 + c) * 0x100 + d
  end },
  [0xd0] = { 1, function(data, at)
    local a = byte(data, at)
    return a < 0x80 and a or a - 0x100
  end },
  [0xd1] = { 2, function(data, at)
    local a, b = byte(data, at, at + 1)
    return (a < 0x80 and a or a - 0x100) * 0x100 + b
  end },
  [0xd2] = { 4, function(data, at)
    local a, b, c, d = byte(data, at, at + 3)
    return (((a < 0x80 and a or a - 0x100) * 0x100 + b) * 0x100 + c) * 0x100 + d
  end },
  [0xd3] = { 8, function(data, at)
    local a, b, c, d, e, f, g, h = byte(data, at, at + 7)
    local high = (((a < 0x80 and a or a - 0x100) * 0x100 + b) * 0x100 + c) * 0x100 + d
    return high * 2 ^ 32 + (((e * 0x100 + f) * 0x100 + g) * 0x100 + h)
  end },
  [0xca] = { 4, function(data, at) return read_float(reverse(sub(data, at, at + 3))) end },
  [0xcb] = { 8, function(data, at) return read_double(reverse(sub(data, at, at + 7))) end },
}
-- Redis' Lua has no unsigned integers of 64 bits: from 2^63 on they come out negative.
NUMBERS[0xcf] = NUMBERS[0xd3]

-- Strings, arrays and maps with a length of their own: how many bytes it has, and the reader for these.
local LENGTHS = {
  [0xd9] = NUMBERS[0xcc], [0xda] = NUMBERS[0xcd], [0xdb] = NUMBERS[0xce],
  [0xdc] = NUMBERS[0xcd], [0xdd] = NUMBERS[0xce],
  [0xde] = NUMBERS[0xcd], [0xdf] = NUMBERS[0xce],
}

-- The value at `position` and the position after it. `depth` is the number of values around this one, each a frame of
-- this function; `slots` are those of its stack that the C function would have taken by now. The script is the caller
-- of the exposed function, which calls `unpack_all`, which calls this: level 4 of a value at the top.
local function read(data, position, slots, depth)
  local code = byte(data, position)
  if not code then
    error(CUT, depth + 4)
  elseif slots + 1 > STACK then
    error(
      "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
      depth + 4
    )
  elseif code < 0x80 then
    return code, position + 1
  elseif code >= 0xe0 then
    return code - 0x100, position + 1
  end

  local number = NUMBERS[code]
  if number then
    local after = position + 1 + number[1]
    if after > #data + 1 then
      error(CUT, depth + 4)
    end
    return number[2](data, position + 1), after
  elseif code == 0xc0 then
    return nil, position + 1
  elseif code == 0xc2 or code == 0xc3 then
    return code == 0xc3, position + 1
  end

  local length, start
  local long = LENGTHS[code]
  if long then
    start = position + 1 + long[1]
    if start > #data + 1 then
      error(CUT, depth + 4)
    end
    length = long[2](data, position + 1)
  elseif code >= 0xc0 then
    error("Bad data format in input.", depth + 4)
  else
    start = position + 1
    length = code >= 0xa0 and code - 0xa0 or code % 0x10
  end

  if code >= 0xd9 and code <= 0xdb or code >= 0xa0 and code < 0xc0 then
    local after = start + length
    if after > #data + 1 then
      error(CUT, depth + 4)
    end
    return sub(data, start, after - 1), after
  end

  local items = {}
  if code == 0xdc or code == 0xdd or code >= 0x90 and code < 0xa0 then
    if slots + 2 > STACK then
      error("stack overflow (in function mp_decode_to_lua_array)", depth + 4)
    end
    for index = 1, length do
      items[index], start = read(data, start, slots + 2, depth + 1)
    end
    return items, start
  end
  for _ = 1, length do
    local key, value
    key, start = read(data, start, slots + 1, depth + 1)
    value, start = read(data, start, slots + 2, depth + 1)
    if key == nil then
      error("table index is nil", 0)
    elseif key ~= key then
      error("table index is NaN", 0)
    end
    items[key] = value
  end
  return items, start
end

-- Up to `limit` values from `offset` on. If either is given, the next offset comes first, -1 at the end of the data.
-- `slots` is the number of arguments that the C function has left on its stack.
local function unpack_all(data, limit, offset, slots)
  if offset < 0 or limit < 0 then
    error(
      format("Invalid request to unpack with offset of %d and limit of %d.", to_int32(offset), to_int32(#data)),
      3
    )
  elseif offset > #data then
    error(
      format("Start offset %d greater than input length %d.", to_int32(offset), to_int32(#data)),
      3
    )
  end
  local all = limit == 0 and offset == 0
  if all then
    limit = INT_MAX
  end
  local results, count, first = {}, 0, all and 1 or 0
  local position = offset + 1
  while position <= #data and count < limit do
    results[count + 1], position = read(data, position, slots + count, 0)
    count = count + 1
  end
  if not all then
    results[0] = position > #data and -1 or position - 1
  end
  if count - first >= MAX_RESULTS then
    error("stack overflow (in function mp_unpack_full)", 3)
  end
  return unpack(results, first, count)
end

local module = {
  pack = pack,
  _NAME = "cmsgpack",
  _VERSION = "lua-cmsgpack 0.4.0",
  _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}

function module.unpack(...)
  local given = select("#", ...)
  return unpack_all(string_at(1, ..., given), 0, 0, given)
end

function module.unpack_one(...)
  local given = select("#", ...)
  local data, offset = ...
  offset = offset == nil and 0 or integer_at(2, offset, given)
  return unpack_all(string_at(1, data, given), 1, offset, 1)
end

function module.unpack_limit(...)
  local given = select("#", ...)
  local data, limit, offset = ...
  limit = integer_at(2, limit, given)
  offset = offset == nil and 0 or integer_at(3, offset, given)
  return unpack_all(string_at(1, data, given), limit, offset, 1)
end

return module
