-- struct: Roberto Ierusalimschy's library for packed C structures, 1.7 as inside Redis, on a little-endian 64-bit
-- machine.

local arguments, float_bits, double_bits, read_float, read_double = ...
local bad, string_at, number_at, integer_at = arguments.bad, arguments.string_at, arguments.number_at, arguments.integer_at
local numeric, to_int64, STACK = arguments.numeric, arguments.to_int64, arguments.STACK
local error, select, type, unpack = error, select, type, unpack
local byte, char, find, format, match = string.byte, string.char, string.find, string.format, string.match
local rep, reverse, sub = string.rep, string.reverse, string.sub
local concat, floor, tonumber = table.concat, math.floor, tonumber

local INT_MAX = 0x7fffffff
local MAX_INTEGER_SIZE = 32
local NATIVE_ALIGNMENT = 8

-- Options by letter: the size of what they stand for. c and i may be followed by a size.
local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1, c = 1, i = 4, I = 4 }
local INTEGERS = { b = true, B = true, h = true, H = true, l = true, L = true, T = true, i = true, I = true }

-- The number at `position` of the format, or `default`, and the position after it. `level` is that of the script.
local function number_in(layout, position, default, level)
  local digits = match(layout, "^[0-9]+", position)
  if not digits then
    return default, position
  end
  local number = tonumber(digits)
  if number > INT_MAX then
    error("integral size overflow", level + 1)
  end
  return number, position + #digits
end

-- The size of an option and the position after it. Options with no size have size 0.
local function size_of(layout, option, position, level)
  local size = SIZES[option] or 0
  if option == "c" then
    size, position = number_in(layout, position, 1, level + 1)
  elseif option == "i" or option == "I" then
    size, position = number_in(layout, position, size, level + 1)
    if size > MAX_INTEGER_SIZE then
      error(format("integral size %d is larger than limit of %d", size, MAX_INTEGER_SIZE), level + 1)
    end
  end
  return size, position
end

-- `a & b` of numbers below 64.
local function band(a, b)
  local result, bit = 0, 1
  while bit <= b do
    if a % (2 * bit) >= bit and b % (2 * bit) >= bit then
      result = result + bit
    end
    bit = 2 * bit
  end
  return result
end

-- How many bytes to skip at offset `offset` for an option of this size. Sizes that are no power of 2 get what the bit
-- arithmetic of the C code gives them.
local function padding(offset, alignment, option, size)
  if alignment == 1 or size == 0 or option == "c" then
    return 0
  elseif size > alignment then
    size = alignment
  end
  return band((size - band(offset % 64, size - 1)) % 64, size - 1)
end

-- Carry out an option that stands for no data: the new endianness, the new alignment, the position after it.
local function control(layout, option, position, little, alignment, level)
  if option == ">" or option == "<" then
    little = option == "<"
  elseif option == "!" then
    alignment, position = number_in(layout, position, NATIVE_ALIGNMENT, level + 1)
    local power = alignment
    while power > 1 and power % 2 == 0 do
      power = power / 2
    end
    if power ~= 1 then
      error(format("alignment %d is not a power of 2", alignment), level + 1)
    end
  elseif option ~= " " then
    -- From here the exposed function is one frame away.
    bad(1, "invalid format option '" .. option .. "'", 1)
  end
  return little, alignment, position
end

-- The halves of a number as C converts it to a long, or to an unsigned long if it is not negative.
local function halves(number)
  if number ~= number then
    return 0x80000000, 0
  elseif number < 0 then
    number = to_int64(number)
    return floor(number / 2 ^ 32) % 2 ^ 32, number % 2 ^ 32
  elseif number >= 2 ^ 64 then
    return 0, 0
  end
  number = floor(number)
  return floor(number / 2 ^ 32), number % 2 ^ 32
end

-- The bytes of 32 bits, the lowest first.
local function word(bits)
  return char(bits % 0x100, floor(bits / 0x100) % 0x100, floor(bits / 0x10000) % 0x100, floor(bits / 0x1000000))
end

-- `size` bytes, the lowest first. Bytes that a long does not have are 0, also those of negative numbers.
local function integer_bytes(number, size)
  local high, low = halves(number)
  if size == 1 then
    return char(low % 0x100)
  elseif size <= 4 then
    return sub(word(low), 1, size)
  elseif size <= 8 then
    return sub(word(low) .. word(high), 1, size)
  end
  return word(low) .. word(high) .. rep("\0", size - 8)
end

-- Bytes, the lowest first, as a number. Only the lowest 8 count, but where the sign is depends on the size, modulo 64
-- bits: what a shift by more than 63 does on x86-64.
local function integer_of(text, signed)
  local size = #text
  if size == 1 then
    local value = byte(text)
    return signed and value >= 0x80 and value - 0x100 or value
  end
  if size < 8 then
    text = text .. rep("\0", 8 - size)
  end
  local a, b, c, d, e, f, g, h = byte(text, 1, 8)
  local low = ((d * 0x100 + c) * 0x100 + b) * 0x100 + a
  local high = ((h * 0x100 + g) * 0x100 + f) * 0x100 + e
  if signed then
    local sign = (8 * size - 1) % 64
    if sign >= 32 then
      local above = 2 ^ (sign - 32)
      if high >= above then
        high = high % above - above
      end
    elseif high > 0 or low >= 2 ^ sign then
      return low % 2 ^ sign - 2 ^ sign
    end
  end
  return high * 2 ^ 32 + low
end

-- The bytes of a float or a double, the lowest first. Python is not given a negative zero: it would get an integer.
local function real_bytes(number, option)
  if number == 0 then
    return rep("\0", SIZES[option] - 1) .. (1 / number < 0 and "\128" or "\0")
  end
  if option == "f" then
    return word(float_bits(number))
  end
  local low, high = double_bits(number)
  return word(low) .. word(high)
end

local function pack(...)
  local given = select("#", ...)
  local values = { ... }
  local layout = match(string_at(1, ..., given), "^[^%z]*")
  local position, argument, total = 1, 2, 0
  local little, alignment = true, 1
  local pieces, count = {}, 0
  while position <= #layout do
    local option = sub(layout, position, position)
    local size
    size, position = size_of(layout, option, position + 1, 2)
    local skipped = padding(total, alignment, option, size)
    if skipped > 0 then
      count = count + 1
      pieces[count] = rep("\0", skipped)
    end
    local piece
    -- The C function pushes a nil after its arguments: the first that is missing is nil.
    if INTEGERS[option] then
      piece = integer_bytes(number_at(argument, values[argument], given + 1), size)
    elseif option == "f" or option == "d" then
      piece = real_bytes(number_at(argument, values[argument], given + 1), option)
    elseif option == "x" then
      piece = "\0"
    elseif option == "c" or option == "s" then
      local text = string_at(argument, values[argument], given + 1)
      if size == 0 then
        size = #text
      elseif #text < size then
        bad(argument + 1, "string too short")
      end
      piece = sub(text, 1, size)
      argument = argument + 1
      if option == "s" then
        piece, size = piece .. "\0", size + 1
      end
    else
      little, alignment, position = control(layout, option, position, little, alignment, 2)
    end
    if piece then
      if option ~= "c" and option ~= "s" and option ~= "x" then
        argument = argument + 1
        if not little then
          piece = reverse(piece)
        end
      end
      count = count + 1
      pieces[count] = piece
    end
    total = total + skipped + size
  end
  return concat(pieces)
end

local function unpack_(...)
  local given = select("#", ...)
  local layout, data, position = ...
  layout = match(string_at(1, layout, given), "^[^%z]*")
  data = string_at(2, data, given)
  position = position == nil and 1 or integer_at(3, position, given)
  if position == 0 then
    bad(3, "offset must be 1 or greater")
  end
  -- Offsets are unsigned in C, so one that is negative is beyond all data.
  local offset, at, length = position - 1, 1, #data
  local little, alignment = true, 1
  local results, count = {}, 0
  while at <= #layout do
    local option = sub(layout, at, at)
    local size
    size, at = size_of(layout, option, at + 1, 2)
    offset = offset + padding(offset, alignment, option, size)
    if offset < 0 or offset + size > length then
      bad(2, "data string too short")
    elseif given + count + 2 > STACK then
      error("stack overflow (too many results)", 2)
    end
    if INTEGERS[option] or option == "f" or option == "d" then
      local text = sub(data, offset + 1, offset + size)
      if not little then
        text = reverse(text)
      end
      count = count + 1
      if option == "f" then
        results[count] = read_float(text)
      elseif option == "d" then
        results[count] = read_double(text)
      else
        results[count] = integer_of(text, option >= "a")
      end
    elseif option == "c" then
      if size == 0 then
        local previous = count > 0 and numeric(results[count])
        if not previous then
          error("format 'c0' needs a previous size", 2)
        end
        local high, low = halves(previous)
        size = high * 2 ^ 32 + low
        results[count] = nil
        count = count - 1
        if offset + size > length then
          bad(2, "data string too short")
        end
      end
      count = count + 1
      results[count] = sub(data, offset + 1, offset + size)
    elseif option == "s" then
      local stop = find(data, "%z", offset + 1)
      if not stop then
        error("unfinished string in data", 2)
      end
      count = count + 1
      results[count] = sub(data, offset + 1, stop - 1)
      size = stop - offset
    elseif option ~= "x" then
      little, alignment, at = control(layout, option, at, little, alignment, 2)
    end
    offset = offset + size
  end
  results[count + 1] = offset + 1
  return unpack(results, 1, count + 1)
end

local function size(...)
  local given = select("#", ...)
  local layout = match(string_at(1, ..., given), "^[^%z]*")
  local position, total = 1, 0
  local little, alignment = true, 1
  while position <= #layout do
    local option = sub(layout, position, position)
    local bytes
    bytes, position = size_of(layout, option, position + 1, 2)
    total = total + padding(total, alignment, option, bytes)
    if option == "s" then
      bad(1, "option 's' has no fixed size")
    elseif option == "c" and bytes == 0 then
      bad(1, "option 'c0' has no fixed size")
    elseif not find(option, "[0-9A-Za-z]") then -- any letter is taken here
      little, alignment, position = control(layout, option, position, little, alignment, 2)
    end
    total = total + bytes
  end
  return total
end

return { pack = pack, unpack = unpack_, size = size }
