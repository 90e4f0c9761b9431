-- bit: Mike Pall's BitOp 1.0.2. Numbers are taken modulo 2^32, results are signed.
--
-- Lua 5.1 has no operators on bits: what is not arithmetic is left to Python's, on two numbers from 0 to 2^32 - 1.

local arguments, band, bor, bxor = ...
local number_at = arguments.number_at
local abs, floor, frexp, min = math.abs, math.floor, math.frexp, math.min
local format, select, sub = string.format, select, string.sub

-- Added to a double, this leaves its nearest integer in the low bits of the mantissa.
local MAGIC = 2 ^ 52 + 2 ^ 51

-- The low 32 bits of the mantissa of a number that adding MAGIC took out of its binade.
local function low_bits(sum)
  if sum ~= sum or sum - sum ~= 0 then
    return 0
  end
  local mantissa = frexp(abs(sum))
  return mantissa * 2 ^ 53 % 2 ^ 32
end

-- The argument at `position` as an unsigned number of 32 bits. Only exposed functions call this.
local function bits_at(position, value, given)
  local sum = number_at(position, value, given, 1) + MAGIC
  if sum >= 2 ^ 52 and sum < 2 ^ 53 then
    return sum % 2 ^ 32
  end
  return low_bits(sum)
end

local function signed(bits)
  bits = bits % 2 ^ 32
  return bits < 2 ^ 31 and bits or bits - 2 ^ 32
end

-- Arguments are converted as the C macro does: the first, then from the last to the second.
local function folded(operation)
  return function(...)
    local given = select("#", ...)
    local bits = bits_at(1, ..., given)
    for position = given, 2, -1 do
      bits = operation(bits, bits_at(position, (select(position, ...)), given))
    end
    return signed(bits)
  end
end

-- A shift or rotation by 0 to 31.
local function shifted(operation)
  return function(...)
    local given = select("#", ...)
    local value, places = ...
    value = bits_at(1, value, given)
    places = bits_at(2, places, given) % 32
    return signed(operation(value, 2 ^ places))
  end
end

local function rotate(bits, power)
  return bits * power % 2 ^ 32 + floor(bits * power / 2 ^ 32)
end

local module = {
  band = folded(band),
  bor = folded(bor),
  bxor = folded(bxor),
  -- 32 bits shifted by at most 31 stay below 2^63, and the bits that a double would lose are zeros.
  lshift = shifted(function(bits, power) return bits * power end),
  rshift = shifted(function(bits, power) return floor(bits / power) end),
  arshift = shifted(function(bits, power) return floor(signed(bits) / power) end),
  rol = shifted(rotate),
  ror = shifted(function(bits, power) return rotate(bits, 2 ^ 32 / power) end),
}

function module.tobit(...)
  return signed(bits_at(1, ..., select("#", ...)))
end

function module.bnot(...)
  return signed(2 ^ 32 - 1 - bits_at(1, ..., select("#", ...)))
end

function module.bswap(...)
  local bits = bits_at(1, ..., select("#", ...))
  local low, second, third = bits % 0x100, floor(bits / 0x100) % 0x100, floor(bits / 0x10000) % 0x100
  return signed(((low * 0x100 + second) * 0x100 + third) * 0x100 + floor(bits / 0x1000000))
end

-- The last digits, 8 of them by default: as many as the second argument says, in capitals if it is negative.
function module.tohex(...)
  local given = select("#", ...)
  local value, places = ...
  local bits = bits_at(1, value, given)
  local digits = 8
  if given > 1 then
    digits = signed(bits_at(2, places, given))
  end
  local text = format(digits < 0 and "%08X" or "%08x", bits)
  digits = min(abs(digits), 8)
  return sub(text, 9 - digits)
end

return module
