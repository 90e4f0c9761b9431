-- The tokens of JSON as lua-cjson takes them: with escapes, numbers that only strtod() knows, and every error.

local null = ...
local find, byte, char, gsub, match, sub = string.find, string.byte, string.char, string.gsub, string.match, string.sub
local concat, floor, tonumber = table.concat, math.floor, tonumber

local UNESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", t = "\t", n = "\n", f = "\f", r = "\r" }

local SINGLE = {
  [byte("{")] = "T_OBJ_BEGIN",
  [byte("}")] = "T_OBJ_END",
  [byte("[")] = "T_ARR_BEGIN",
  [byte("]")] = "T_ARR_END",
  [byte(":")] = "T_COLON",
  [byte(",")] = "T_COMMA",
}

local WORDS = { [byte("t")] = "true", [byte("f")] = "false", [byte("n")] = "null" }
local VALUES = { ["true"] = true, ["false"] = false, ["null"] = null }

local function utf8(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(
    0xF0 + floor(code / 0x40000),
    0x80 + floor(code / 0x1000) % 0x40,
    0x80 + floor(code / 0x40) % 0x40,
    0x80 + code % 0x40
  )
end

-- The UTF-8 of the escape \uXXXX at `position`, which may take its low surrogate along, and the position after it.
local function unicode(text, position)
  local hex = match(text, "^%x%x%x%x", position + 2)
  if not hex then
    return nil
  end
  local code = tonumber(hex, 16)
  if code < 0xD800 or code > 0xDFFF then
    return utf8(code), position + 6
  end
  local low = match(text, "^\\u(%x%x%x%x)", position + 6)
  low = low and tonumber(low, 16)
  if code >= 0xDC00 or not low or low < 0xDC00 or low > 0xDFFF then
    return nil
  end
  return utf8(0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00), position + 12
end

-- A string with escapes of which some are \uXXXX, between its quotes and known to be right: what it stands for.
local function unescape(text, position, last)
  local pieces, count = {}, 0
  while true do
    local stop = find(text, "\\", position, true)
    if not stop or stop > last then
      pieces[count + 1] = sub(text, position, last)
      return concat(pieces)
    end
    local replaced
    pieces[count + 1] = sub(text, position, stop - 1)
    if byte(text, stop + 1) == 117 then -- u
      replaced, position = unicode(text, stop)
    else
      replaced, position = UNESCAPES[sub(text, stop + 1, stop + 1)], stop + 2
    end
    pieces[count + 2] = replaced
    count = count + 2
  end
end

-- A string token at its opening quote: kind, value, position after it; or an error's kind, text, nil, position.
local function string_token(text, opening)
  local position, unicodes = opening + 1, false
  while true do
    local stop = find(text, '["\\%z]', position)
    local code = stop and byte(text, stop)
    if code == 34 then -- the closing quote
      if unicodes then
        return "T_STRING", unescape(text, opening + 1, stop - 1), stop + 1
      end
      return "T_STRING", (gsub(sub(text, opening + 1, stop - 1), "\\(.)", UNESCAPES)), stop + 1
    elseif code ~= 92 then
      return "T_ERROR", "unexpected end of string", nil, stop or #text + 1
    end
    local letter = sub(text, stop + 1, stop + 1)
    position = stop + 2
    if letter == "u" then
      unicodes = true
      local replaced
      replaced, position = unicode(text, stop)
      if not replaced then
        return "T_ERROR", "invalid unicode escape code", nil, stop
      end
    elseif not UNESCAPES[letter] then
      return "T_ERROR", "invalid escape code", nil, stop
    end
  end
end

-- The position after what strtod() would take, nil if it would take nothing.
local function number_end(text, position)
  local start = match(text, "^[+-]?()", position)
  local digits, stop = match(text, "^0[xX](%x*%.?%x*)()", start)
  if digits and find(digits, "%x") then
    return match(text, "^[pP][+-]?%d+()", stop) or stop
  end
  digits, stop = match(text, "^(%d*%.?%d*)()", start)
  if find(digits, "%d") then
    return match(text, "^[eE][+-]?%d+()", stop) or stop
  end
  stop = match(text, "^[iI][nN][fF]()", start)
  if stop then
    return match(text, "^[iI][nN][iI][tT][yY]()", stop) or stop
  end
  stop = match(text, "^[nN][aA][nN]()", start)
  return stop and (match(text, "^%([0-9A-Za-z_]*%)()", stop) or stop)
end

local function number_token(text, position)
  local stop = number_end(text, position)
  if not stop then
    return "T_ERROR", "invalid number", nil, position
  end
  return "T_NUMBER", tonumber(sub(text, position, stop - 1)), stop
end

-- Whether it is a number only for strtod(), not in JSON. Text that is no number at all may pass.
local function lax_number(text, position)
  if byte(text, position) == 43 then -- +
    return true
  end
  position = match(text, "^%-?()", position)
  return find(text, "^0[xX0-9]", position) or find(text, "^[iI][nN][fF]", position) or find(text, "^[nN][aA][nN]", position)
end

-- The token at `position` or after whitespace: its kind, value, the position after it, and its own position. The text
-- ends at the first NUL, as C strings do.
local function next_token(text, position, lax)
  position = match(text, "^[ \t\n\r]*()", position)
  local code = byte(text, position)
  if not code or code == 0 then
    return "T_END", nil, position, position
  end
  local kind = SINGLE[code]
  if kind then
    return kind, nil, position + 1, position
  end
  local value, after, wrong
  if code == 34 then
    kind, value, after, wrong = string_token(text, position)
    return kind, value, after, wrong or position
  elseif code == 45 or (code >= 48 and code <= 57) then -- - 0..9
    if not lax and lax_number(text, position) then
      return "T_ERROR", "invalid number", nil, position
    end
    kind, value, after = number_token(text, position)
    return kind, value, after, position
  end
  local word = WORDS[code]
  if word and sub(text, position, position + #word - 1) == word then
    return word == "null" and "T_NULL" or "T_BOOLEAN", VALUES[word], position + #word, position
  elseif lax and find(text, "^[+iInN]", position) and lax_number(text, position) then
    kind, value, after = number_token(text, position)
    return kind, value, after, position
  end
  return "T_ERROR", "invalid token", nil, position
end

return { next = next_token, WORDS = WORDS, VALUES = VALUES }
