-- The protocol of Hubbub (PROTOCOL.md) for Wireshark: lines of UTF-8, either way.
--
-- Put this file into the folder that Wireshark names under Help, About, Folders, "Personal Lua
-- Plugins"; or: tshark -X lua_script:hubbub.lua

local hubbub = Proto("hubbub", "Hubbub chat")

local kinds = {
    [1] = "Name", [2] = "Private", [3] = "To all", [4] = "List", [5] = "Help", [6] = "Quit",
    [7] = "Empty", [8] = "Unknown", [9] = "Notice", [10] = "Broadcast", [11] = "Private message",
}

local field = {
    kind = ProtoField.uint8("hubbub.kind", "Kind", base.DEC, kinds),
    line = ProtoField.string("hubbub.line", "Line", base.UNICODE),
    name = ProtoField.string("hubbub.name", "Name asked for", base.UNICODE),
    to = ProtoField.string("hubbub.to", "To", base.UNICODE),
    from = ProtoField.string("hubbub.from", "From", base.UNICODE),
    text = ProtoField.string("hubbub.text", "Text", base.UNICODE),
    prefix = ProtoField.string("hubbub.prefix", "Prefix", base.UNICODE),
    notice = ProtoField.string("hubbub.notice", "Notice", base.UNICODE),
    telnet = ProtoField.bytes("hubbub.telnet", "Telnet commands"),
}
hubbub.fields = field

local unknown = ProtoExpert.new(
    "hubbub.unknown", "No command", expert.group.REQUEST_CODE, expert.severity.NOTE)
hubbub.experts = { unknown }

hubbub.prefs.port = Pref.uint("TCP port", 12345, "The port of the server; 0 for none")

local stream_field = Field.new("tcp.stream")

-- What was learned of each stream when its packets were first seen, in their order: which lines of
-- the client are names, and the server's port.
local streams = {}

function hubbub.init()
    streams = {}
end

local function this_stream()
    local number = stream_field() and stream_field().value or 0
    streams[number] = streams[number] or { names = {}, tries = 0, asked = 0 }
    return streams[number]
end

-- The client's first line is a name, whether the server has asked for one yet or not. So is one
-- more for each further time that it asks, until somebody is welcome.
local function learn_of_server(stream, pinfo, raw)
    if raw:find("^%[SERVER%] Enter your name:") then
        stream.asked = stream.asked + 1
    elseif raw:find("^%[SERVER%] Welcome ") then
        stream.is_in = true
    end
    if raw:find("^%[SERVER%] ") then
        stream.port = stream.port or pinfo.src_port
    end
end

local function learn_of_client(stream, place, raw)
    if raw:find("[^ \t]") and not stream.is_in and stream.tries < math.max(1, stream.asked) then
        stream.tries = stream.tries + 1
        stream.names[place] = true
    end
end

-- What a line of a client is: its kind, and the parts of it with their places.
local function client_parts(raw)
    local word, rest = raw:match("^(%S+) ?(.*)$")
    word = (word or ""):lower()
    if raw:find("^[ \t]*$") then
        return 7, {}
    elseif raw:find("^@[^ ]*[^ :,][:,]* .*[^ \t]") then
        local space = raw:find(" ", 1, true)
        local name = raw:match("^@([^ ]*[^ :,])[:,]* ")
        return 2, { { field.to, 1, #name }, { field.text, space, #raw - space } }
    elseif raw:sub(1, 4):lower() == "all " and rest:find("[^ \t]") then
        return 3, { { field.text, 4, #raw - 4 } }
    elseif word == "list" and raw:find("^%a+ *$") then
        return 4, {}
    elseif word == "list" and raw:find("^%a+ [^ ]+ *$") then
        return 4, { { field.prefix, 5, #raw:match("^%a+ ([^ ]+)") } }
    elseif word == "help" and (raw .. " "):find("^%a+ ") then
        return 5, {}
    elseif word == "quit" and raw:find("^%a+ *$") then
        return 6, {}
    end
    return 8, {}
end

-- The same for a line of the server.
local function server_parts(raw)
    local from = raw:match("^%[From ([^%]]+)%]: ")
    if raw:sub(1, 9) == "[SERVER] " then
        return 9, { { field.notice, 9, #raw - 9 } }
    elseif from then
        return 11, { { field.from, 6, #from }, { field.text, #from + 9, #raw - #from - 9 } }
    end
    from = raw:match("^%[([^%]]+)%]: ")
    if from then
        return 10, { { field.from, 1, #from }, { field.text, #from + 4, #raw - #from - 4 } }
    end
    return 8, {}
end

local function is_from_server(stream, pinfo, raw)
    local port = stream.port or hubbub.prefs.port
    if pinfo.src_port == port and pinfo.dst_port ~= port then
        return true
    elseif pinfo.dst_port == port and pinfo.src_port ~= port then
        return false
    end
    return raw:sub(1, 1) == "["
end

-- How long the Telnet commands at the start of a line are (RFC 854, RFC 855).
local function telnet_length(raw)
    local at = 1
    while raw:byte(at) == 255 do
        local command = raw:byte(at + 1) or 0
        local stop = command == 250 and raw:find("\255\240", at, true)
        if command < 236 or command == 255 then
            break
        elseif stop then
            at = stop + 2
        else
            at = at + (command > 250 and 3 or 2)
        end
    end
    return math.min(at - 1, #raw)
end

-- How long the first line is, its end included: LF, or CR NUL.
local function line_length(raw)
    local lf, nul = raw:find("\n", 1, true), raw:find("\r\0", 1, true)
    if nul and nul < (lf or #raw) then
        return nul + 1
    end
    return lf
end

-- One line, its end included; tells what to show of it in the list of packets.
local function dissect_line(range, pinfo, tree)
    local commands = telnet_length(range:raw())
    if commands > 0 then
        tree:add(field.telnet, range(0, commands))
        if commands == range:len() then
            return "Telnet", ""
        end
        range = range(commands)
    end
    local raw = range:raw():gsub("\r?\n$", ""):gsub("\r\0$", "")
    local kind, parts
    local stream = this_stream()
    if is_from_server(stream, pinfo, raw) then
        if not pinfo.visited then
            learn_of_server(stream, pinfo, raw)
        end
        kind, parts = server_parts(raw)
    else
        local place = pinfo.number .. ":" .. range:offset()
        if not pinfo.visited then
            learn_of_client(stream, place, raw)
        end
        if stream.names[place] then
            kind, parts = 1, { { field.name, 0, #raw } }
        else
            kind, parts = client_parts(raw)
        end
    end
    local item = tree:add_packet_field(field.line, range(0, #raw), ENC_UTF_8)
    item:add(field.kind, range(0, #raw), kind)
    for _, part in ipairs(parts) do
        if part[3] > 0 then
            item:add_packet_field(part[1], range(part[2], part[3]), ENC_UTF_8)
        end
    end
    if kind == 8 then
        item:add_proto_expert_info(unknown)
    end
    return kinds[kind], #raw > 0 and range(0, #raw):string(ENC_UTF_8) or ""
end

function hubbub.dissector(tvb, pinfo, root)
    local tree, shown, offset = nil, {}, 0
    while offset < tvb:len() do
        local length = line_length(tvb:raw(offset))
        if not length then
            -- The rest of the line is in a segment to come.
            pinfo.desegment_offset = offset
            pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
            break
        end
        tree = tree or root:add(hubbub, tvb())
        local kind, line = dissect_line(tvb(offset, length), pinfo, tree)
        shown[#shown + 1] = kind .. ": " .. line
        offset = offset + length
    end
    if #shown > 0 then
        pinfo.cols.protocol = "Hubbub"
        pinfo.cols.info = table.concat(shown, " | ")
    end
    return tvb:len()
end

local tcp_ports = DissectorTable.get("tcp.port")
local registered = 0

local function register()
    if registered ~= 0 then
        tcp_ports:remove(registered, hubbub)
    end
    registered = hubbub.prefs.port
    if registered ~= 0 then
        tcp_ports:add(registered, hubbub)
    end
end

function hubbub.prefs_changed()
    if registered ~= hubbub.prefs.port then
        register()
    end
end

-- At other ports, the greeting of the server tells.
hubbub:register_heuristic("tcp", function(tvb, pinfo, root)
    local greeting = "[SERVER] Enter your name:"
    if tvb:len() < #greeting or tvb:raw(0, #greeting) ~= greeting then
        return false
    end
    pinfo.conversation = hubbub
    hubbub.dissector(tvb, pinfo, root)
    return true
end)

register()
