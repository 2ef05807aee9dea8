"""An XMPP client for tests: slixmpp connects, logs in and then does what it is told.

usage: client.py JID PASSWORD HOST PORT
stdin:  one stanza in each line, sent as it is.
stdout: "online" and the full JID, then one JSON string of XML in each line for each stanza that came.
"""
import asyncio
import json
import sys

from slixmpp import ClientXMPP
from slixmpp.xmlstream import tostring
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher.base import MatcherBase


class Everything(MatcherBase):
    def match(self, xml):
        return xml.name in ("message", "presence", "iq")


def say(text):
    print(text, flush=True)


async def main(jid, password, host, port):
    client = ClientXMPP(jid, password)
    client.register_handler(Callback("tell", Everything(None), lambda s: say(json.dumps(tostring(s.xml)))))
    online = asyncio.Event()

    def begin(_):
        client.send_raw("<presence/>")
        say("online " + client.boundjid.full)
        online.set()

    client.add_event_handler("session_start", begin)
    client.add_event_handler("failed_auth", lambda _: sys.exit("login refused"))
    client.connect((host, int(port)), disable_starttls=True, use_ssl=False)
    await online.wait()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        client.send_raw(line.strip())
    await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
