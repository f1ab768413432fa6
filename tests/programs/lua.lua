-- lua.lua [ROUNDS]: programs that check their own results, to be run by a Lua 5.4 under test. Prints "ok NAME" for each.
local tests = {}
local function test(name, f) tests[#tests + 1] = {name = name, f = f} end
local function same(a, b, what)
	if a ~= b then error((what or "result") .. ": " .. tostring(a) .. ", not " .. tostring(b), 2) end
end

test("tables grow, shrink and are traversed while they change", function()
	local t = {}
	for i = 1, 100000 do t[i] = i end
	for i = 1, 100000, 2 do t[i] = nil end
	local n, sum = 0, 0
	for k, v in pairs(t) do n, sum = n + 1, sum + v; t[k] = nil end
	same(n, 50000); same(sum, 50000 * 50001); same(next(t), nil)
	for i = 1, 20000 do t["key" .. i] = {i}; t[i + 0.5] = i; t[-i] = true end
	for i = 1, 20000 do same(t["key" .. i][1], i); same(t[i + 0.5], i); same(t[-i], true) end
	t = table.move(table.pack(table.unpack({1, 2, 3, 4, 5, 6, 7, 8})), 1, 8, 4)
	same(table.concat(t, ",", 1, 11), "1,2,3,1,2,3,4,5,6,7,8")
end)

test("binary trees", function()
	local function make(d) if d == 0 then return {} end return {make(d - 1), make(d - 1)} end
	local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end
	local long = make(13)
	for d = 4, 12, 2 do for _ = 1, 1 << (12 - d) do same(count(make(d)), (2 << d) - 1) end end
	same(count(long), (2 << 13) - 1)
end)

test("strings: short, long, interned, patterns, formats", function()
	local parts = {}
	for i = 1, 30000 do parts[#parts + 1] = ("%d:%s;"):format(i, ("x"):rep(i % 60)) end
	local s = table.concat(parts)
	local n = 0
	for num, xs in s:gmatch("(%d+):(x*);") do n = n + 1; same(#xs, tonumber(num) % 60) end
	same(n, 30000)
	local r, k = s:gsub("x+", function(x) return "<" .. #x .. ">" end)
	same(k, 29500); same(r:gsub("<(%d+)>", function(d) return ("x"):rep(tonumber(d)) end), s)
	same(s:reverse():reverse(), s); same(#s:upper(), #s)
	local acc = ""
	for i = 1, 3000 do acc = acc .. string.char(97 + i % 26) end
	same(#acc, 3000); same(acc:sub(-4), "hijk")
	same(("%q"):format("a\n\0b\"\\"), '"a\\\n\\0b\\"\\\\"')
	same(("%5.2f|%-6d|%x|%s"):format(3.14159, 42, 255, nil), " 3.14|42    |ff|nil")
	same(("x"):rep(1 << 22):len(), 1 << 22)
	same(("k"):rep(40), ("k"):rep(20) .. ("k"):rep(20))
	same(utf8.len("\u{7FFFFFFF}ä€", 1, -1, true), 3)
end)

test("string.pack and unpack", function()
	for i = 1, 5000 do
		local p = string.pack("<i8 >I4 z s2 d", -i, i, "z" .. i, ("s"):rep(i % 300), i / 7)
		local a, b, z, s, d = string.unpack("<i8 >I4 z s2 d", p)
		same(a, -i); same(b, i); same(z, "z" .. i); same(#s, i % 300); same(d, i / 7)
	end
	same(pcall(string.unpack, "i8", "short"), false)
end)

test("closures and upvalues", function()
	local fs = {}
	for i = 1, 20000 do
		local n = i
		fs[i] = {function() n = n + 1; return n end, function() return n end}
	end
	for i = 1, 20000 do fs[i][1](); same(fs[i][2](), i + 1) end
	local function compose(f, g) return function(...) return f(g(...)) end end
	local f = function(x) return x end
	for _ = 1, 150 do f = compose(f, function(x) return x + 1 end) end
	same(f(0), 150)
end)

test("coroutines: many, deep, left unfinished, with errors and to-be-closed variables", function()
	local function numbers(n) return coroutine.wrap(function() for i = 2, n do coroutine.yield(i) end end) end
	local function filter(p, g)
		return coroutine.wrap(function() for n in g do if n % p ~= 0 then coroutine.yield(n) end end end)
	end
	local g, primes = numbers(2000), 0
	while true do local p = g(); if not p then break end; primes = primes + 1; if p < 45 then g = filter(p, g) end end
	same(primes, 303)
	local closed, all = 0, {}
	for i = 1, 2000 do
		local co = coroutine.create(function(...)
			local x <close> = setmetatable({}, {__close = function() closed = closed + 1 end})
			local value, deep = ...
			deep = function(n) if n == 0 then return coroutine.yield(value) end return (deep(n - 1)) end
			return deep(i % 60)
		end)
		same(select(2, coroutine.resume(co, i)), i)
		if i % 3 == 0 then coroutine.close(co) else all[#all + 1] = co end
	end
	same(closed, 666)
	for i = 1, #all, 2 do same(select(2, coroutine.resume(all[i], "end")), "end") end
	local ok, e = coroutine.resume(coroutine.create(function() error({code = 7}) end))
	same(ok, false); same(e.code, 7)
end)

test("metatables, inheritance, operators", function()
	local V = {}
	V.__index = V
	local function new(x, y) return setmetatable({x = x, y = y}, V) end
	V.__add = function(a, b) return new(a.x + b.x, a.y + b.y) end
	V.__mul = function(a, k) return new(a.x * k, a.y * k) end
	V.__eq = function(a, b) return a.x == b.x and a.y == b.y end
	V.__lt = function(a, b) return a.x < b.x end
	V.__len = function(a) return a.x + a.y end
	V.__concat = function(a, b) return tostring(a) .. tostring(b) end
	V.__tostring = function(a) return "(" .. a.x .. "," .. a.y .. ")" end
	V.__call = function(a, k) return a * k end
	local sum = new(0, 0)
	for i = 1, 50000 do sum = sum + new(i, -i) * 2 end
	same(sum, new(2500050000, -2500050000)); same(#sum, 0); same(sum(0) .. new(1, 2), "(0,0)(1,2)")
	local base = {}
	for _ = 1, 90 do base = setmetatable({}, {__index = base, __newindex = base}) end
	base.key = 5; same(base.key, 5); same(rawget(base, "key"), nil)
end)

test("garbage: weak tables, ephemerons, finalizers, resurrection", function()
	local weak, finalized, back = setmetatable({}, {__mode = "v"}), 0, {}
	local eph = setmetatable({}, {__mode = "k"})
	local function make(i)
		local o = setmetatable({i}, {__gc = function(o) finalized = finalized + 1; if o[1] % 1000 == 0 then back[#back + 1] = o end end})
		weak[i] = o
		eph[o] = {o}
	end
	for i = 1, 20000 do make(i) end
	collectgarbage(); collectgarbage()
	same(next(weak), nil); same(finalized, 20000); same(#back, 20)
	local left = 0
	for o in pairs(eph) do left = left + 1; same(o[1] % 1000, 0) end
	same(left, 20)
	for _, mode in ipairs {"generational", "incremental"} do
		collectgarbage(mode)
		local keep = {}
		for i = 1, 200000 do keep[i % 1000 + 1] = {i, tostring(i)} end
		for i = 1, 1000 do same(tonumber(keep[i][2]), keep[i][1]) end
	end
	collectgarbage("stop"); for i = 1, 1000 do local _ = {i} end; collectgarbage("restart")
	same(collectgarbage("step", 10000), true)
end)

test("errors: deep recursion, memory, messages, handlers", function()
	local function deep(n) return 1 + deep(n + 1) end
	local ok, e = pcall(deep, 1)
	same(ok, false); same(e:match("stack overflow"), "stack overflow")
	same(pcall(string.rep, "x", -1), true)
	ok, e = pcall(string.rep, "x", 1 << 60)
	same(ok, false)
	ok, e = pcall(string.rep, "x", 1 << 50)
	same(ok, false)
	for i = 1, 5000 do
		local r = {xpcall(function(x) local t = {}; t[x][1] = 1 end, function(m) return {m, debug.traceback()} end, i)}
		same(r[1], false); same(r[2][1]:match("index a nil value") ~= nil, true)
	end
	local function nest(n) if n == 0 then error("bottom", 0) end local _, m = pcall(nest, n - 1); error(m, 0) end
	same(select(2, pcall(nest, 150)), "bottom")
end)

test("compiling: load, dump, many constants, long functions", function()
	for i = 1, 300 do
		local src = {"local a = {"}
		for j = 1, 100 do src[#src + 1] = ("[%q] = %d, "):format("k" .. i .. "_" .. j, i * j) end
		src[#src + 1] = "} local s = 0 for _, v in pairs(a) do s = s + v end return s, function() return a end"
		local f = assert(load(table.concat(src)))
		same(f(), i * 5050)
		same(assert(load(string.dump(f, i % 2 == 0), "d", "b"))(), i * 5050)
	end
	local long = {"return function(x) "}
	for i = 1, 5000 do long[#long + 1] = ("if x == %d then return 'r%d' end "):format(i, i) end
	long[#long + 1] = "end"
	local f = assert(load(table.concat(long)))()
	same(f(4999), "r4999"); same(f(0), nil)
	same(load("x ="), nil); same(load(("("):rep(300)), nil); same(load("goto nowhere"), nil)
	local env = {}
	load("x = 1; local function f() y = 2 end f()", "c", "t", env)(); same(env.x + env.y, 3)
end)

test("sorting", function()
	local seed = 42
	local function random() seed = (seed * 1103515245 + 12345) % 2147483648; return seed end
	local t = {}
	for i = 1, 30000 do t[i] = random() end
	table.sort(t); for i = 2, #t do assert(t[i - 1] <= t[i]) end
	table.sort(t, function(a, b) return a > b end); for i = 2, #t do assert(t[i - 1] >= t[i]) end
	for i, v in ipairs(t) do t[i] = {v, tostring(v)} end
	table.sort(t, function(a, b) return a[2] < b[2] end); for i = 2, #t do assert(t[i - 1][2] <= t[i][2]) end
	same(pcall(table.sort, {3, 1, "x"}), false)
end)

test("files, buffers, lines", function()
	local name = os.tmpname()
	local f = assert(io.open(name, "w+"))
	f:setvbuf("full", 1 << 16)
	for i = 1, 20000 do f:write(i, " ", i * 0.5, "\n") end
	f:seek("set")
	local sum = 0
	for i, h in f:lines("n", "n") do sum = sum + i; same(h, i * 0.5) end
	same(sum, 200010000); f:close()
	local n = 0
	for l in io.lines(name) do n = n + #l end
	f = io.open(name, "rb"); local all = f:read("a"); f:close(); same(n + 20000, #all)
	for _ = 1, 300 do local g = io.open(name); g:read(10) end -- closed by the collector
	collectgarbage(); os.remove(name)
	same(io.open(name), nil)
	same(io.open("/dev/null"):read("a"), "")
end)

test("numbers", function()
	same(math.maxinteger + 1, math.mininteger); same(7 // -2, -4); same(7 % -2, -1); same(7.5 // 2, 3.0)
	same(0x7fffffffffffffff, math.maxinteger); same(tostring(2^53), "9.007199254741e+15"); same(1e308 * 10, math.huge)
	same(tonumber("0x1p4"), 16.0); same(tonumber("z", 36), 35); same(math.tointeger(8.0), 8)
	local f, s = 1, "1"
	for i = 2, 20 do f = f * i end
	same(f, 2432902008176640000)
	local digits = {1} -- 400 factorial
	for i = 2, 400 do
		local carry = 0
		for j = 1, #digits do local x = digits[j] * i + carry; digits[j] = x % 10; carry = x // 10 end
		while carry > 0 do digits[#digits + 1] = carry % 10; carry = carry // 10 end
	end
	s = table.concat(digits):reverse()
	same(#s, 869); same(s:sub(1, 12), "640345228466")
end)

test("a JSON writer and reader", function()
	local function write(v, out)
		if type(v) == "table" then
			if #v > 0 then
				out[#out + 1] = "["
				for i, x in ipairs(v) do if i > 1 then out[#out + 1] = "," end; write(x, out) end
				out[#out + 1] = "]"
			else
				local keys = {}
				for k in pairs(v) do keys[#keys + 1] = k end
				table.sort(keys)
				out[#out + 1] = "{"
				for i, k in ipairs(keys) do
					if i > 1 then out[#out + 1] = "," end
					out[#out + 1] = ("%q:"):format(k); write(v[k], out)
				end
				out[#out + 1] = "}"
			end
		elseif type(v) == "string" then out[#out + 1] = '"' .. v .. '"'
		else out[#out + 1] = tostring(v) end
		return out
	end
	local function read(s, i)
		local c = s:sub(i, i)
		if c == "[" or c == "{" then
			local t = {}
			i = i + 1
			while s:find("^[^%]}]", i) do
				local k = #t + 1
				if c == "{" then k, i = read(s, i); i = i + 1 end
				t[k], i = read(s, i)
				if s:sub(i, i) == "," then i = i + 1 end
			end
			return t, i + 1
		elseif c == '"' then local e = s:find('"', i + 1, true); return s:sub(i + 1, e - 1), e + 1
		elseif s:find("^true", i) then return true, i + 4
		else local n = s:match("^[-%d.e+]+", i); return tonumber(n), i + #n end
	end
	local v = {}
	for i = 1, 3000 do v[i] = {id = i, name = "n" .. i, tags = {"a", "b", i}, deep = {x = {y = {z = i / 4}}}, flag = true} end
	local s = table.concat(write(v, {}))
	same(table.concat(write((read(s, 1)), {})), s)
end)

for round = 1, tonumber(arg[1]) or 1 do
	for _, t in ipairs(tests) do
		local ok, e = xpcall(t.f, debug.traceback)
		if not ok then io.stderr:write("FAILED ", t.name, ": ", tostring(e), "\n"); os.exit(1, true) end
		if round == 1 then print("ok " .. t.name) end
	end
end
