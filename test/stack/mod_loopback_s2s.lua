-- Sends server-to-server connections to ports of this machine, so that two
-- Prosody on one loopback address federate without DNS and without port 5269.
-- A host that is not in loopback_s2s_ports cannot be reached at all.
module:set_global();

local function library(name)
	local found, result = pcall(require, "prosody." .. name);
	if found then
		return result;
	end
	return require(name);
end

local service = library "net.resolvers.service";
local manual = library "net.resolvers.manual";
local ports = module:get_option("loopback_s2s_ports", {});

-- mod_s2s looks service.new up at each connection. "xmpps-server" (direct TLS,
-- XEP-0368) gets no target.
function service.new(host, name, _, extra)
	local targets = {};
	if ports[host] and name == "xmpp-server" then
		targets[1] = { "tcp4", "127.0.0.1", ports[host], extra };
	end
	return manual.new(targets, "tcp", extra);
end
